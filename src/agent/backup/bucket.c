#include "agent/backup/bucket.h"

#include <stdlib.h>
#include <string.h>

#include "agent/backup/names.h"
#include "agent/os/child.h"
#include "node/json_pull.h"

#define TOKEN_PATH "/computeMetadata/v1/instance/service-accounts/default/token"
#define STORAGE    "https://storage.googleapis.com"

enum { CONFIG_MAX = 16 << 10, ANSWER_MAX = 1 << 20, ASK_S = 60, TRANSFER_S = 3600, PAGE_TOKEN_CAP = 1024 };

static const char *const curl_paths[] = {"/usr/bin/curl", "/bin/curl", NULL};

static int read_token(const struct buf *answer, char ret[BUCKET_TOKEN_CAP], struct err *err)
{
    struct json_pull j = JSON_PULL_INIT(answer->data ? answer->data : "", answer->len);
    char key[32];
    ret[0] = '\0';
    for (json_pull_open(&j, '{'); json_pull_key(&j, key, sizeof key);)
        if (strcmp(key, "access_token") == 0)
            json_pull_string(&j, ret, BUCKET_TOKEN_CAP);
        else
            json_pull_skip(&j);
    if (json_pull_end(&j, "the token", err) < 0)
        return -1;
    for (const char *at = ret; *at; at++)
        if (*at <= ' ' || *at > '~' || *at == '"' || *at == '\\')
            ret[0] = '\0';
    return ret[0] ? 0 : err_set(err, ERR_VERIFY, 0, "the metadata server's token is not one");
}

static int fetch_token(const struct bucket *bucket, char ret[BUCKET_TOKEN_CAP], struct err *err)
{
    struct agent_http_request request = {
        .peer = bucket->server, .path = TOKEN_PATH, .metadata = true, .timeout_ms = 10000};
    cleanup_buf_wipe struct buf answer = BUF_INIT(2 * BUCKET_TOKEN_CAP);
    int status = 0;
    if (agent_http_get(&request, &status, &answer, err) < 0)
        return -1;
    if (status != 200)
        return err_set(err, ERR_NETWORK, 0,
                       "the instance has no service account: the metadata server answered %d", status);
    return read_token(&answer, ret, err);
}

/* CONFIG: curl's options of one request, without the token. RET: the body, then a line with the status. */
static int run_curl(const struct bucket *bucket, const char *config, unsigned limit_s, struct buf *ret,
                    struct err *err)
{
    char token[BUCKET_TOKEN_CAP];
    const char *argv[] = {child_find(bucket->root, curl_paths), "--config", "-", NULL};
    cleanup_buf_wipe struct buf input = BUF_INIT(CONFIG_MAX);
    int code = 0;
    if (!argv[0])
        return err_set(err, ERR_IO, 0, "the system has no %s", curl_paths[0]);
    if (fetch_token(bucket, token, err) < 0)
        return -1;
    buf_printf(&input,
               "silent\nshow-error\nnoproxy = \"*\"\nconnect-timeout = 20\nmax-time = %u\n"
               "write-out = \"\\n%%{http_code}\"\nheader = \"Authorization: Bearer %s\"\n%s",
               limit_s, token, config);
    explicit_bzero(token, sizeof token);
    if (buf_check(&input, "curl's options", err) < 0)
        return -1;
    struct child child = {
        .argv = argv, .timeout_ms = (limit_s + 10) * 1000, .input = input.data, .errors = true};
    if (child_run(bucket->root, &child, ret, &code, err) < 0)
        return -1;
    return code == 0 ? 0
                     : err_set(err, ERR_NETWORK, 0, "curl ended with %d: %.*s", code,
                               ret->data ? (int)strcspn(ret->data, "\n") : 0, ret->data ? ret->data : "");
}

/* Cuts the status off the answer, and checks it. */
static int check_status(struct buf *answer, struct err *err)
{
    char *line = answer->data ? strrchr(answer->data, '\n') : NULL;
    long status = line ? strtol(line + 1, NULL, 10) : 0;
    if (line) {
        *line = '\0';
        answer->len = (size_t)(line - answer->data);
    }
    if (status == 200)
        return 0;
    return err_set(err, ERR_NETWORK, 0, "Cloud Storage answered %ld%s", status,
                   status == 403   ? ": the instance's service account may not do this"
                   : status == 404 ? ": there is no such bucket or snapshot"
                   : status == 412 ? ": there is a snapshot of that name already"
                                   : "");
}

static int exchange(const struct bucket *bucket, const char *config, unsigned limit_s, struct buf *ret,
                    struct err *err)
{
    if (run_curl(bucket, config, limit_s, ret, err) < 0 || check_status(ret, err) < 0)
        return err_wrap(err, "bucket %s", bucket->metadata->snapshot_bucket);
    return 0;
}

/* For tests, as Google's own clients read it. */
static const char *storage_host(void)
{
    const char *host = getenv("STORAGE_EMULATOR_HOST");
    return host && host[0] ? host : STORAGE;
}

int bucket_send(const struct bucket *bucket, const char *snapshot, const char *file, struct err *err)
{
    char config[CONFIG_MAX / 2], path[PATH_CAP];
    cleanup_buf struct buf answer = BUF_INIT(ANSWER_MAX);
    if (root_real(bucket->root, file, path) < 0)
        return err_sys(err, errno, "open %s", file);
    snprintf(
        config, sizeof config,
        "url = \"%s/upload/storage/v1/b/%s/o?uploadType=media&ifGenerationMatch=0&name=%s%%2F%s\"\n"
        "header = \"Content-Type: application/octet-stream\"\nrequest = \"POST\"\nupload-file = \"%s\"\n",
        storage_host(), bucket->metadata->snapshot_bucket, bucket->metadata->cluster_name, snapshot, path);
    return exchange(bucket, config, TRANSFER_S, &answer, err);
}

int bucket_receive(const struct bucket *bucket, const char *snapshot, const char *file, struct err *err)
{
    char config[CONFIG_MAX / 2], path[PATH_CAP];
    cleanup_buf struct buf answer = BUF_INIT(ANSWER_MAX);
    if (root_write(bucket->root, file, "", 0, 0600, err) < 0)
        return -1;
    if (root_real(bucket->root, file, path) < 0)
        return err_sys(err, errno, "open %s", file);
    snprintf(config, sizeof config, "url = \"%s/storage/v1/b/%s/o/%s%%2F%s?alt=media\"\noutput = \"%s\"\n",
             storage_host(), bucket->metadata->snapshot_bucket, bucket->metadata->cluster_name, snapshot,
             path);
    return exchange(bucket, config, TRANSFER_S, &answer, err);
}

struct bucket_list {
    const char *id;                  /* the restore's */
    char newest[VALUE_SNAPSHOT_CAP]; /* of all snapshots */
    char after[VALUE_SNAPSHOT_CAP];  /* one that was taken after that restore */
    char page[PAGE_TOKEN_CAP];       /* the next page's token, "" after the last */
};

static void see_snapshot(struct bucket_list *found, const char *object)
{
    const char *slash = strchr(object, '/'), *name = slash ? slash + 1 : "";
    if (!value_snapshot_ok(name))
        return;
    if (strcmp(name, found->newest) > 0)
        snprintf(found->newest, sizeof found->newest, "%s", name);
    if (strcmp(names_restore_of(name), found->id) == 0)
        snprintf(found->after, sizeof found->after, "%s", name);
}

static void read_item(struct json_pull *j, struct bucket_list *found)
{
    char key[32], name[VALUE_NAME_CAP + VALUE_SNAPSHOT_CAP] = "";
    for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);)
        if (strcmp(key, "name") == 0)
            json_pull_string(j, name, sizeof name);
        else
            json_pull_skip(j);
    see_snapshot(found, name);
}

static int read_page(const struct buf *answer, struct bucket_list *found, struct err *err)
{
    struct json_pull j = JSON_PULL_INIT(answer->data ? answer->data : "", answer->len);
    char key[32];
    found->page[0] = '\0';
    for (json_pull_open(&j, '{'); json_pull_key(&j, key, sizeof key);) {
        if (strcmp(key, "nextPageToken") == 0) {
            json_pull_string(&j, found->page, sizeof found->page);
        } else if (strcmp(key, "items") != 0) {
            json_pull_skip(&j);
        } else {
            for (json_pull_open(&j, '['); json_pull_item(&j);)
                read_item(&j, found);
        }
    }
    for (const char *at = found->page; *at; at++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=", *at))
            json_pull_fail(&j, "a page's token cannot be sent");
    return json_pull_end(&j, "the list of snapshots", err);
}

int bucket_newest(const struct bucket *bucket, const char *id, char ret[VALUE_SNAPSHOT_CAP], struct err *err)
{
    struct bucket_list found = {.id = id};
    char config[CONFIG_MAX / 2];
    do {
        cleanup_buf struct buf answer = BUF_INIT(ANSWER_MAX);
        snprintf(config, sizeof config,
                 "url = \"%s/storage/v1/b/%s/o?prefix=%s%%2F&fields=items(name),nextPageToken%s%s\"\n",
                 storage_host(), bucket->metadata->snapshot_bucket, bucket->metadata->cluster_name,
                 found.page[0] ? "&pageToken=" : "", found.page);
        if (exchange(bucket, config, ASK_S, &answer, err) < 0 || read_page(&answer, &found, err) < 0)
            return -1;
    } while (found.page[0]);
    if (found.after[0])
        return err_set(err, ERR_VERIFY, 0,
                       "restore %s was done already: %s was taken after it. Give cluster-restore a new ID",
                       id, found.after);
    memcpy(ret, found.newest, sizeof found.newest);
    return 0;
}
