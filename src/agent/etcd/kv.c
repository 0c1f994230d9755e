#include "agent/etcd/kv.h"

#include <string.h>

#include "node/json_pull.h"
#include "text/base64.h"

enum { TEXT_MAX = ETCD_VALUE_MAX / 3 * 4 + 8, REQUEST_MAX = 2 * TEXT_MAX + 2048 };

#define REQUEST_INIT BUF_INIT(REQUEST_MAX)
#define ANSWER_INIT  BUF_INIT(AGENT_HTTP_BODY_MAX)

static int send_request(const struct etcd_api *api, const char *path, const struct buf *request,
                        struct buf *ret, struct err *err)
{
    if (buf_check(request, "a request to etcd", err) < 0)
        return -1;
    return etcd_post(api, path, request->data, ETCD_ASK_MS, ret, err);
}

static void add_bytes(struct buf *request, const char *name, const char *bytes, size_t len)
{
    buf_printf(request, "\"%s\":\"", name);
    base64_add(request, bytes, len);
    buf_str(request, "\"");
}

static void add_put(struct buf *request, const char *key, const char *value, size_t len,
                    const struct etcd_lease *lease)
{
    buf_str(request, "{");
    add_bytes(request, "key", key, strlen(key));
    buf_str(request, ",");
    add_bytes(request, "value", value, len);
    if (lease)
        buf_printf(request, ",\"lease\":\"%s\"", lease->id);
    buf_str(request, "}");
}

/* --- reader --- */

struct kv_reader {
    void (*see)(void *ctx, const char *key, const char *value, size_t len);
    void *ctx;
    char text[TEXT_MAX + 1], key[ETCD_KEY_CAP], value[ETCD_VALUE_MAX + 1];
};

static size_t read_bytes(struct json_pull *j, struct kv_reader *reader, char *out, size_t cap)
{
    size_t len = 0;
    json_pull_string(j, reader->text, sizeof reader->text);
    if (!base64_decode(reader->text, strlen(reader->text), out, cap - 1, &len)) {
        json_pull_fail(j, "a key or value is too long, or not base64");
        len = 0;
    }
    out[len] = '\0';
    return len;
}

static void read_pair(struct json_pull *j, struct kv_reader *reader)
{
    char name[32];
    size_t len = 0;
    reader->key[0] = reader->value[0] = '\0';
    for (json_pull_open(j, '{'); json_pull_key(j, name, sizeof name);) {
        if (strcmp(name, "key") == 0)
            (void)read_bytes(j, reader, reader->key, sizeof reader->key);
        else if (strcmp(name, "value") == 0)
            len = read_bytes(j, reader, reader->value, sizeof reader->value);
        else
            json_pull_skip(j);
    }
    if (!j->message)
        reader->see(reader->ctx, reader->key, reader->value, len);
}

static int read_pairs(const struct buf *answer, struct kv_reader *reader, struct err *err)
{
    struct json_pull j = JSON_PULL_INIT(answer->data ? answer->data : "", answer->len);
    char name[32];
    for (json_pull_open(&j, '{'); json_pull_key(&j, name, sizeof name);) {
        if (strcmp(name, "kvs") != 0) {
            json_pull_skip(&j);
            continue;
        }
        for (json_pull_open(&j, '['); json_pull_item(&j);)
            read_pair(&j, reader);
    }
    return json_pull_end(&j, "etcd's keys", err);
}

/* END: the key after the last one; NULL: KEY alone. */
static int read_range(const struct etcd_api *api, const char *key, const char *end, struct kv_reader *reader,
                      struct err *err)
{
    cleanup_buf struct buf request = REQUEST_INIT, answer = ANSWER_INIT;
    buf_str(&request, "{");
    add_bytes(&request, "key", key, strlen(key));
    if (end) {
        buf_str(&request, ",");
        add_bytes(&request, "range_end", end, strlen(end));
    }
    buf_str(&request, "}");
    if (send_request(api, "/v3/kv/range", &request, &answer, err) < 0)
        return -1;
    return read_pairs(&answer, reader, err);
}

struct got {
    struct buf *value;
    bool found;
};

static void see_value(void *ctx, const char *key, const char *value, size_t len)
{
    struct got *got = ctx;
    (void)key;
    buf_add(got->value, value, len);
    got->found = true;
}

int etcd_get(const struct etcd_api *api, const char *key, struct buf *ret, bool *ret_found, struct err *err)
{
    struct got got = {ret, false};
    cleanup_free struct kv_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return err_oom(err);
    reader->see = see_value;
    reader->ctx = &got;
    if (read_range(api, key, NULL, reader, err) < 0 || buf_check(ret, key, err) < 0)
        return -1;
    *ret_found = got.found;
    return 0;
}

int etcd_each(const struct etcd_api *api, const char *prefix,
              void (*see)(void *ctx, const char *key, const char *value, size_t len), void *ctx,
              struct err *err)
{
    char end[ETCD_KEY_CAP];
    size_t len = strlen(prefix);
    cleanup_free struct kv_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return err_oom(err);
    if (len == 0 || len >= sizeof end)
        return err_set(err, ERR_INTERNAL, 0, "no prefix of keys: %s", prefix);
    memcpy(end, prefix, len + 1);
    end[len - 1]++;
    reader->see = see;
    reader->ctx = ctx;
    return read_range(api, prefix, end, reader, err);
}

/* --- writing --- */

int etcd_set(const struct etcd_api *api, const char *key, const char *value, size_t len,
             const struct etcd_lease *lease, struct err *err)
{
    cleanup_buf struct buf request = REQUEST_INIT, answer = ANSWER_INIT;
    add_put(&request, key, value, len, lease);
    return send_request(api, "/v3/kv/put", &request, &answer, err);
}

/* The word or number NAME of an answer's top level, "" if there is none. */
static int read_field(const struct buf *answer, const char *name, char *ret, size_t cap, struct err *err)
{
    struct json_pull j = JSON_PULL_INIT(answer->data ? answer->data : "", answer->len);
    char key[32];
    ret[0] = '\0';
    for (json_pull_open(&j, '{'); json_pull_key(&j, key, sizeof key);) {
        char first = json_pull_peek(&j);
        if (strcmp(key, name) != 0)
            json_pull_skip(&j);
        else if (first == 't' || first == 'f') {
            snprintf(ret, cap, "%s", first == 't' ? "true" : "false");
            json_pull_skip(&j);
        } else
            json_pull_digits(&j, ret, cap);
    }
    return json_pull_end(&j, "etcd's answer", err);
}

/* Puts, if what REQUEST has of the comparison holds. */
static int put_if(const struct etcd_api *api, struct buf *request, const char *key, const char *value,
                  size_t len, const struct etcd_lease *lease, bool *ret_done, struct err *err)
{
    cleanup_buf struct buf answer = ANSWER_INIT;
    char done[VALUE_ID_CAP];
    buf_str(request, "}],\"success\":[{\"request_put\":");
    add_put(request, key, value, len, lease);
    buf_str(request, "}]}");
    if (send_request(api, "/v3/kv/txn", request, &answer, err) < 0 ||
        read_field(&answer, "succeeded", done, sizeof done, err) < 0)
        return -1;
    *ret_done = strcmp(done, "true") == 0;
    return 0;
}

int etcd_create(const struct etcd_api *api, const char *key, const char *value, size_t len,
                const struct etcd_lease *lease, bool *ret_done, struct err *err)
{
    cleanup_buf struct buf request = REQUEST_INIT;
    buf_str(&request, "{\"compare\":[{\"target\":\"CREATE\",\"result\":\"EQUAL\",\"create_revision\":\"0\",");
    add_bytes(&request, "key", key, strlen(key));
    return put_if(api, &request, key, value, len, lease, ret_done, err);
}

static int put_if_value(const struct etcd_api *api, const char *key, const char *old, size_t old_len,
                        const char *value, size_t len, const struct etcd_lease *lease, bool *ret_done,
                        struct err *err)
{
    cleanup_buf struct buf request = REQUEST_INIT;
    buf_str(&request, "{\"compare\":[{\"target\":\"VALUE\",\"result\":\"EQUAL\",");
    add_bytes(&request, "value", old, old_len);
    buf_str(&request, ",");
    add_bytes(&request, "key", key, strlen(key));
    return put_if(api, &request, key, value, len, lease, ret_done, err);
}

int etcd_swap(const struct etcd_api *api, const char *key, const char *old, size_t old_len, const char *value,
              size_t len, bool *ret_done, struct err *err)
{
    return put_if_value(api, key, old, old_len, value, len, NULL, ret_done, err);
}

int etcd_delete(const struct etcd_api *api, const char *key, struct err *err)
{
    cleanup_buf struct buf request = REQUEST_INIT, answer = ANSWER_INIT;
    buf_str(&request, "{");
    add_bytes(&request, "key", key, strlen(key));
    buf_str(&request, "}");
    return send_request(api, "/v3/kv/deleterange", &request, &answer, err);
}

/* --- leases --- */

int etcd_lease_grant(const struct etcd_api *api, unsigned ttl_s, struct etcd_lease *ret, struct err *err)
{
    cleanup_buf struct buf request = REQUEST_INIT, answer = ANSWER_INIT;
    struct etcd_lease made;
    buf_printf(&request, "{\"TTL\":\"%u\"}", ttl_s);
    if (send_request(api, "/v3/lease/grant", &request, &answer, err) < 0 ||
        read_field(&answer, "ID", made.id, sizeof made.id, err) < 0)
        return -1;
    if (!value_id_ok(made.id))
        return err_set(err, ERR_VERIFY, 0, "etcd's answer has no lease");
    *ret = made;
    return 0;
}

int etcd_lease_keep(const struct etcd_api *api, const struct etcd_lease *lease, bool *ret_alive,
                    struct err *err)
{
    cleanup_buf struct buf request = REQUEST_INIT, answer = ANSWER_INIT;
    char key[32], ttl[VALUE_ID_CAP] = "";
    buf_printf(&request, "{\"ID\":\"%s\"}", lease->id);
    if (send_request(api, "/v3/lease/keepalive", &request, &answer, err) < 0)
        return -1;
    struct json_pull j = JSON_PULL_INIT(answer.data ? answer.data : "", answer.len);
    for (json_pull_open(&j, '{'); json_pull_key(&j, key, sizeof key);) {
        if (strcmp(key, "result") != 0) {
            json_pull_skip(&j);
            continue;
        }
        for (json_pull_open(&j, '{'); json_pull_key(&j, key, sizeof key);)
            if (strcmp(key, "TTL") == 0)
                json_pull_digits(&j, ttl, sizeof ttl);
            else
                json_pull_skip(&j);
    }
    if (json_pull_end(&j, "etcd's lease", err) < 0)
        return -1;
    *ret_alive = value_id_ok(ttl) && strcmp(ttl, "0") != 0;
    return 0;
}

int etcd_lease_revoke(const struct etcd_api *api, const struct etcd_lease *lease, struct err *err)
{
    cleanup_buf struct buf request = REQUEST_INIT, answer = ANSWER_INIT;
    buf_printf(&request, "{\"ID\":\"%s\"}", lease->id);
    return send_request(api, "/v3/lease/revoke", &request, &answer, err);
}

int etcd_lock(const struct etcd_api *api, const char *key, const char *holder, unsigned ttl_s,
              struct etcd_lease *ret, bool *ret_locked, struct err *err)
{
    struct err unrevoked;
    size_t len = strlen(holder);
    *ret_locked = false;
    if (etcd_lease_grant(api, ttl_s, ret, err) < 0)
        return -1;
    int status = etcd_create(api, key, holder, len, ret, ret_locked, err);
    if (status == 0 && !*ret_locked)
        status = put_if_value(api, key, holder, len, holder, len, ret, ret_locked, err);
    if (status < 0 || !*ret_locked)
        (void)!etcd_lease_revoke(api, ret, &unrevoked);
    return status;
}
