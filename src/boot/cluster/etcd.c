#include "boot/cluster/etcd.h"

#include <string.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "text/base64.h"

enum { POLL_MS = 50, ANSWER_MAX = 8 << 20, BODY_MAX = 8 << 10, MEMBERS_KEPT = 16 };

/* Keeps one connection per member open: handshakes are slow on an emulated processor. */
struct etcd_client {
    struct etcd_keys keys;
    int (*idle)(void *ctx, struct err *err);
    void *ctx;
    CURLM *multi;
    struct curl_slist *headers;
};

static void easy_free(CURL **easy)
{
    curl_easy_cleanup(*easy);
}
#define cleanup_easy cleanup(easy_free)

static size_t append_answer(char *bytes, size_t size, size_t count, void *ctx)
{
    struct buf *answer = ctx;
    buf_add(answer, bytes, size * count);
    return answer->failed ? 0 : size * count;
}

static CURLcode set_blob(CURL *easy, CURLoption option, const char *pem)
{
    struct curl_blob blob = {.data = (void *)(uintptr_t)pem, .len = strlen(pem), .flags = CURL_BLOB_NOCOPY};
    return curl_easy_setopt(easy, option, &blob);
}

static int set_options(struct etcd_client *client, CURL *easy, const char *url, const char *body,
                       unsigned timeout_ms, struct buf *answer, struct err *err)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, url);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, client->headers);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, append_answer);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
    if (code == CURLE_OK)
        code = set_blob(easy, CURLOPT_CAINFO_BLOB, client->keys.authority);
    if (code == CURLE_OK)
        code = set_blob(easy, CURLOPT_SSLCERT_BLOB, client->keys.cert);
    if (code == CURLE_OK)
        code = set_blob(easy, CURLOPT_SSLKEY_BLOB, client->keys.key);
    return code == CURLE_OK ? 0 : err_set(err, ERR_INTERNAL, 0, "libcurl: %s", curl_easy_strerror(code));
}

/* Runs the request until it ends or idle() fails. */
static int perform(struct etcd_client *client, CURLcode *ret, struct err *err)
{
    int running = 1, queued = 0;
    while (running > 0) {
        CURLMcode code = curl_multi_perform(client->multi, &running);
        if (code == CURLM_OK && running > 0)
            code = curl_multi_poll(client->multi, NULL, 0, POLL_MS, NULL);
        if (code != CURLM_OK)
            return err_set(err, ERR_INTERNAL, 0, "libcurl: %s", curl_multi_strerror(code));
        if (client->idle && client->idle(client->ctx, err) < 0)
            return -1;
    }
    const CURLMsg *message = curl_multi_info_read(client->multi, &queued);
    *ret = message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_FAILED_INIT;
    return 0;
}

/* An error is {"error": "...", "message": "...", "code": n}; etcd's text is shown up to the first unsafe
 * character. */
static int refused(const char *ip, long status, const struct buf *answer, struct err *err)
{
    char reason[128];
    size_t n = 0;
    for (const char *c = answer->data; c && *c && n + 1 < sizeof reason; c++)
        reason[n++] = *c >= ' ' && *c < 0x7f ? *c : '?';
    reason[n] = '\0';
    return err_set(err, ERR_REMOTE, 0, "etcd on %s answered %ld: %s", ip, status, reason);
}

static int post(struct etcd_client *client, const char *ip, const char *path, const char *body,
                unsigned timeout_ms, struct buf *answer, struct err *err)
{
    char url[128];
    long status = 0;
    CURLcode code = CURLE_OK;
    cleanup_easy CURL *easy = curl_easy_init();
    if (!easy)
        return err_oom(err);
    snprintf(url, sizeof url, "https://%s:%d%s", ip, ETCD_CLIENT_PORT, path);
    if (set_options(client, easy, url, body, timeout_ms, answer, err) < 0)
        return -1;
    if (curl_multi_add_handle(client->multi, easy) != CURLM_OK)
        return err_set(err, ERR_INTERNAL, 0, "libcurl does not append_answer a request");
    int r = perform(client, &code, err);
    curl_multi_remove_handle(client->multi, easy);
    if (r < 0)
        return -1;
    if (code != CURLE_OK)
        return err_set(err, ERR_NETWORK, 0, "etcd on %s: %s", ip, curl_easy_strerror(code));
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        return refused(ip, status, answer, err);
    return buf_check(answer, "etcd's answer", err);
}

int etcd_client_new(const struct etcd_keys *keys, int (*idle)(void *ctx, struct err *err), void *ctx,
                    struct etcd_client **ret, struct err *err)
{
    struct etcd_client *made = calloc(1, sizeof *made);
    if (!made)
        return err_oom(err);
    *made = (struct etcd_client){.keys = *keys, .idle = idle, .ctx = ctx};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        made->multi = curl_multi_init();
        made->headers = curl_slist_append(NULL, "Content-Type: application/json");
    }
    if (!made->multi || !made->headers ||
        curl_multi_setopt(made->multi, CURLMOPT_MAXCONNECTS, (long)MEMBERS_KEPT) != CURLM_OK) {
        etcd_client_free(made);
        return err_set(err, ERR_INTERNAL, 0, "libcurl does not start");
    }
    *ret = made;
    return 0;
}

void etcd_client_free(struct etcd_client *client)
{
    if (!client)
        return;
    curl_multi_cleanup(client->multi);
    curl_slist_free_all(client->headers);
    free(client);
}

int etcd_get_status(struct etcd_client *client, const char *ip, unsigned timeout_ms, struct etcd_status *ret,
                    struct err *err)
{
    cleanup_buf struct buf answer = BUF_INIT(ANSWER_MAX);
    if (post(client, ip, "/v3/maintenance/status", "{}", timeout_ms, &answer, err) < 0)
        return -1;
    return etcd_status_parse(answer.data ? answer.data : "", answer.len, ret, err);
}

int etcd_list_members(struct etcd_client *client, const char *ip, unsigned timeout_ms, struct etcd_list *ret,
                      struct err *err)
{
    cleanup_buf struct buf answer = BUF_INIT(ANSWER_MAX);
    if (post(client, ip, "/v3/cluster/member/list", "{}", timeout_ms, &answer, err) < 0)
        return -1;
    return etcd_list_parse(answer.data ? answer.data : "", answer.len, ret, err);
}

static void add_base64(struct buf *body, const char *before, const char *text, size_t len, const char *after)
{
    buf_str(body, before);
    buf_str(body, "\"");
    base64_add(body, text, len);
    buf_str(body, "\"");
    buf_str(body, after);
}

int etcd_put(struct etcd_client *client, const char *ip, const char *key, const char *value,
             unsigned timeout_ms, struct err *err)
{
    cleanup_buf struct buf body = BUF_INIT(BODY_MAX), answer = BUF_INIT(ANSWER_MAX);
    add_base64(&body, "{\"key\":", key, strlen(key), ",");
    add_base64(&body, "\"value\":", value, strlen(value), "}");
    if (body.failed)
        return err_set(err, ERR_INTERNAL, 0, "the key or value is too long");
    return post(client, ip, "/v3/kv/put", body.data, timeout_ms, &answer, err);
}

int etcd_range(struct etcd_client *client, const char *ip, const char *prefix, unsigned timeout_ms,
               int (*visit)(void *ctx, const char *key, const char *value, struct err *err), void *ctx,
               struct err *err)
{
    cleanup_buf struct buf body = BUF_INIT(BODY_MAX), answer = BUF_INIT(ANSWER_MAX);
    char end[256];
    size_t len = strlen(prefix);
    if (len == 0 || len >= sizeof end)
        return err_set(err, ERR_INTERNAL, 0, "a prefix of %zu bytes", len);
    /* keys with PREFIX sort before PREFIX with its last byte incremented */
    for (size_t i = 0; i < len; i++)
        end[i] = prefix[i];
    end[len - 1]++;
    add_base64(&body, "{\"key\":", prefix, len, ",");
    add_base64(&body, "\"range_end\":", end, len, "}");
    if (body.failed)
        return err_set(err, ERR_INTERNAL, 0, "the prefix is too long");
    if (post(client, ip, "/v3/kv/range", body.data, timeout_ms, &answer, err) < 0)
        return -1;
    return etcd_range_parse(answer.data ? answer.data : "", answer.len, visit, ctx, err);
}
