#include "agent/etcd/api.h"

#include <string.h>

#include "node/json_pull.h"
#include "node/pki.h"

enum { NAME_MAX_BYTES = 256, REASON_MAX = 200 };

static bool url_ok(const char *url)
{
    const char *rest = strncmp(url, "https://", 8) == 0  ? url + 8
                       : strncmp(url, "http://", 7) == 0 ? url + 7
                                                         : "";
    size_t len = strlen(rest);
    return len > 0 && strspn(rest, "abcdefghijklmnopqrstuvwxyz0123456789.-:") == len;
}

static void read_urls(struct json_pull *j, struct etcd_member *member)
{
    unsigned count = 0;
    for (json_pull_open(j, '['); json_pull_item(j); count++)
        json_pull_string(j, member->peer_url, sizeof member->peer_url);
    if (count != 1 || !url_ok(member->peer_url))
        json_pull_fail(j,
                       "a member does not have exactly one plain peer URL: it is not a node of this cluster");
}

static void read_member(struct json_pull *j, struct etcd_member *member)
{
    char key[32], name[NAME_MAX_BYTES] = "";
    for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);) {
        if (strcmp(key, "ID") == 0)
            json_pull_digits(j, member->id, sizeof member->id);
        else if (strcmp(key, "name") == 0)
            json_pull_string(j, name, sizeof name);
        else if (strcmp(key, "peerURLs") == 0)
            read_urls(j, member);
        else if (strcmp(key, "isLearner") == 0) {
            member->is_learner = json_pull_peek(j) == 't';
            json_pull_skip(j);
        } else
            json_pull_skip(j);
    }
    snprintf(member->name, sizeof member->name, "%.63s", name[0] == '\0' || value_name_ok(name) ? name : "?");
    if (!value_id_ok(member->id) || member->peer_url[0] == '\0')
        json_pull_fail(j, "a member has no id or no peer URL");
}

int etcd_members_parse(const char *text, size_t len, struct etcd_members *ret, struct err *err)
{
    struct json_pull j = JSON_PULL_INIT(text, len);
    struct etcd_members made = {0};
    char key[32];
    for (json_pull_open(&j, '{'); json_pull_key(&j, key, sizeof key);) {
        if (strcmp(key, "members") != 0) {
            json_pull_skip(&j);
            continue;
        }
        for (json_pull_open(&j, '['); json_pull_item(&j); made.count++) {
            if (made.count == ETCD_MEMBERS_MAX) {
                json_pull_fail(&j, "there are too many members");
                break;
            }
            read_member(&j, &made.members[made.count]);
        }
    }
    if (json_pull_end(&j, "etcd's members", err) < 0)
        return -1;
    if (made.count == 0)
        return err_set(err, ERR_VERIFY, 0, "etcd's members: the list is empty");
    *ret = made;
    return 0;
}

void etcd_reason_parse(const char *text, size_t len, char *ret, size_t cap)
{
    struct json_pull j = JSON_PULL_INIT(text, len);
    struct err unused;
    char key[32], reason[REASON_MAX] = "";
    for (json_pull_open(&j, '{'); json_pull_key(&j, key, sizeof key);) {
        /* etcd 3.4 and 3.5 give both, 3.6 the second alone */
        if ((strcmp(key, "error") == 0 || strcmp(key, "message") == 0) && json_pull_peek(&j) == '"')
            json_pull_string(&j, reason, sizeof reason);
        else
            json_pull_skip(&j);
    }
    if (json_pull_end(&j, "refusal", &unused) < 0)
        reason[0] = '\0';
    for (char *at = reason; *at; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
    snprintf(ret, cap, "%s", reason);
}

struct tls_files etcd_admin_files(const struct root *root)
{
    return (struct tls_files){root, PKI_ADMIN_ETCD_CA, PKI_ADMIN_ETCD_CERT, PKI_ADMIN_ETCD_KEY};
}

struct etcd_api etcd_api_at(const struct tls_files *files, const char *ip, uint16_t port)
{
    struct etcd_api api = {.files = files, .peer = {.port = port}};
    snprintf(api.peer.host, sizeof api.peer.host, "%s", ip);
    return api;
}

int etcd_post(const struct etcd_api *api, const char *path, const char *body, unsigned timeout_ms,
              struct buf *ret, struct err *err)
{
    struct tls_request request = {
        .files = api->files, .peer = &api->peer, .path = path, .body = body, .timeout_ms = timeout_ms};
    char reason[REASON_MAX];
    int status = 0;
    if (tls_send(&request, &status, ret, err) < 0)
        return -1;
    if (status == 200)
        return 0;
    etcd_reason_parse(ret->data ? ret->data : "", ret->len, reason, sizeof reason);
    return err_set(err, ERR_REMOTE, 0, "%s", reason[0] ? reason : "etcd refuses without a reason");
}

int etcd_members_ask(const struct etcd_api *api, struct etcd_members *ret, struct err *err)
{
    cleanup_buf struct buf key = BUF_INIT(AGENT_HTTP_BODY_MAX);
    cleanup_buf struct buf list = BUF_INIT(AGENT_HTTP_BODY_MAX);
    /* The key, one NUL byte, need not exist: the read goes through the quorum either way. */
    if (etcd_post(api, "/v3/kv/range", "{\"key\":\"AA==\",\"limit\":\"1\",\"keys_only\":true}", ETCD_ASK_MS,
                  &key, err) < 0 ||
        etcd_post(api, "/v3/cluster/member/list", "{}", ETCD_ASK_MS, &list, err) < 0)
        return -1;
    return etcd_members_parse(list.data ? list.data : "", list.len, ret, err);
}

static int change_member(const struct etcd_api *api, const char *path, const char *id, struct err *err)
{
    cleanup_buf struct buf answer = BUF_INIT(AGENT_HTTP_BODY_MAX);
    char body[64];
    snprintf(body, sizeof body, "{\"ID\":\"%s\"}", id);
    return etcd_post(api, path, body, ETCD_CHANGE_MS, &answer, err);
}

int etcd_member_remove(const struct etcd_api *api, const char *id, struct err *err)
{
    return change_member(api, "/v3/cluster/member/remove", id, err);
}

int etcd_member_promote(const struct etcd_api *api, const char *id, struct err *err)
{
    return change_member(api, "/v3/cluster/member/promote", id, err);
}

int etcd_member_add(const struct etcd_api *api, const char *peer_url, struct etcd_members *ret,
                    struct err *err)
{
    cleanup_buf struct buf answer = BUF_INIT(AGENT_HTTP_BODY_MAX);
    char body[ETCD_URL_CAP + 64];
    snprintf(body, sizeof body, "{\"peerURLs\":[\"%s\"],\"isLearner\":true}", peer_url);
    if (etcd_post(api, "/v3/cluster/member/add", body, ETCD_CHANGE_MS, &answer, err) < 0)
        return -1;
    return etcd_members_parse(answer.data ? answer.data : "", answer.len, ret, err);
}
