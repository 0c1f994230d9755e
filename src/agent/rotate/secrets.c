#include "agent/rotate/secrets.h"

#include <string.h>

#include "node/json_pull.h"
#include "text/path.h"

enum { TOKEN_CAP = 1024, LABEL_CAP = 64, OBJECT_CAP = 254, URL_CAP = 2048 };

/* Names without the Secrets' data. */
#define NAMES_ONLY "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

struct secret_name {
    char space[LABEL_CAP], name[OBJECT_CAP];
};

struct secret_page {
    struct secret_name names[SECRETS_PAGE];
    size_t count;
    char next[TOKEN_CAP]; /* "": the last page */
};

static int call_server(const struct secrets_server *server, const char *method, const char *path,
                       const char *accept, const char *body, int *ret_status, struct buf *ret,
                       struct err *err)
{
    struct tls_request request = {.files = &server->files,
                                  .peer = &server->peer,
                                  .path = path,
                                  .body = body,
                                  .timeout_ms = SECRETS_CALL_MS,
                                  .method = method,
                                  .accept = accept};
    return tls_send(&request, ret_status, ret, err);
}

static bool only(const char *text, const char *letters)
{
    return text[0] && text[strspn(text, letters)] == '\0';
}

static bool name_ok(const char *text)
{
    return only(text, "abcdefghijklmnopqrstuvwxyz0123456789-.") && text[0] != '.';
}

static bool token_ok(const char *text)
{
    return only(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.");
}

static void read_meta(struct json_pull *j, struct secret_name *ret)
{
    char key[32];
    for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);)
        if (strcmp(key, "name") == 0)
            json_pull_string(j, ret->name, sizeof ret->name);
        else if (strcmp(key, "namespace") == 0)
            json_pull_string(j, ret->space, sizeof ret->space);
        else
            json_pull_skip(j);
    if (!name_ok(ret->name) || !name_ok(ret->space))
        json_pull_fail(j, "an object has no plain name and namespace");
}

static void read_items(struct json_pull *j, struct secret_page *page)
{
    char key[32];
    for (json_pull_open(j, '['); json_pull_item(j); page->count++) {
        if (page->count == SECRETS_PAGE) {
            json_pull_fail(j, "there are more than were asked for");
            return;
        }
        for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);)
            if (strcmp(key, "metadata") == 0)
                read_meta(j, &page->names[page->count]);
            else
                json_pull_skip(j);
    }
}

static void read_continue(struct json_pull *j, struct secret_page *page)
{
    char key[32];
    for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);)
        if (strcmp(key, "continue") == 0)
            json_pull_string(j, page->next, sizeof page->next);
        else
            json_pull_skip(j);
    if (page->next[0] && !token_ok(page->next))
        json_pull_fail(j, "the page after has no plain token");
}

static int read_page(const struct buf *text, struct secret_page *page, struct err *err)
{
    struct json_pull j = JSON_PULL_INIT(text->data ? text->data : "", text->len);
    char key[32];
    for (json_pull_open(&j, '{'); json_pull_key(&j, key, sizeof key);)
        if (strcmp(key, "items") == 0 && json_pull_peek(&j) == '[')
            read_items(&j, page);
        else if (strcmp(key, "metadata") == 0)
            read_continue(&j, page);
        else
            json_pull_skip(&j);
    return json_pull_end(&j, "the list of Secrets", err);
}

/* FROM is the token of the page before, or "". */
static int fetch_page(const struct secrets_server *server, const char *from, struct secret_page *ret,
                      struct err *err)
{
    cleanup_buf_wipe struct buf body = BUF_INIT(SECRETS_BODY_MAX);
    char path[URL_CAP];
    int status = 0;
    snprintf(path, sizeof path, "/api/v1/secrets?limit=%d%s%s", SECRETS_PAGE, from[0] ? "&continue=" : "",
             from);
    if (call_server(server, "GET", path, NAMES_ONLY, NULL, &status, &body, err) < 0)
        return -1;
    if (status != 200)
        return err_set(err, ERR_REMOTE, 0, "the API server answered %d to the list of Secrets", status);
    *ret = (struct secret_page){0};
    return read_page(&body, ret, err);
}

static int rewrite(const struct secrets_server *server, const struct secret_name *name, struct err *err)
{
    cleanup_buf_wipe struct buf object = BUF_INIT(SECRETS_BODY_MAX), answer = BUF_INIT(SECRETS_BODY_MAX);
    char path[URL_CAP];
    int status = 0;
    snprintf(path, sizeof path, "/api/v1/namespaces/%s/secrets/%s", name->space, name->name);
    if (call_server(server, "GET", path, NULL, NULL, &status, &object, err) < 0)
        return -1;
    if (status == 200 &&
        call_server(server, "PUT", path, NULL, object.data ? object.data : "", &status, &answer, err) < 0)
        return -1;
    if (status == 200 || status == 404 || status == 409)
        return 0;
    return err_set(err, ERR_REMOTE, 0, "the API server answered %d to a new write of the Secret %s/%s",
                   status, name->space, name->name);
}

int secrets_rewrite(const struct secrets_server *server, size_t *ret_count, struct err *err)
{
    cleanup_free struct secret_page *page = calloc(1, sizeof *page);
    char from[TOKEN_CAP] = "";
    size_t count = 0;
    if (!page)
        return err_oom(err);
    do {
        if (fetch_page(server, from, page, err) < 0)
            return -1;
        for (size_t i = 0; i < page->count; i++)
            if (rewrite(server, &page->names[i], err) < 0)
                return -1;
        count += page->count;
        memcpy(from, page->next, sizeof from);
    } while (from[0]);
    *ret_count = count;
    return 0;
}

/* --- the server's own pod --- */

static void read_keys(struct json_pull *j, const char *keys, bool *ret)
{
    char key[32], value[64];
    for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);) {
        if (strcmp(key, "annotations") != 0) {
            json_pull_skip(j);
            continue;
        }
        for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);)
            if (strcmp(key, "bake/keys") == 0) {
                json_pull_string(j, value, sizeof value);
                *ret = strcmp(value, keys) == 0;
            } else {
                json_pull_skip(j);
            }
    }
}

static bool read_condition(struct json_pull *j)
{
    char key[32], value[64];
    bool ready = false, yes = false;
    for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);)
        if (strcmp(key, "type") == 0 || strcmp(key, "status") == 0) {
            json_pull_string(j, value, sizeof value);
            ready = ready || strcmp(value, "Ready") == 0;
            yes = yes || strcmp(value, "True") == 0;
        } else {
            json_pull_skip(j);
        }
    return ready && yes;
}

static void read_status(struct json_pull *j, bool *ret)
{
    char key[32];
    for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);)
        if (strcmp(key, "conditions") != 0) {
            json_pull_skip(j);
        } else {
            for (json_pull_open(j, '['); json_pull_item(j);)
                *ret = read_condition(j) || *ret;
        }
}

int secrets_server_ready(const struct secrets_server *server, const char *node, const char *keys,
                         bool *ret_ready, struct err *err)
{
    cleanup_buf_wipe struct buf body = BUF_INIT(SECRETS_BODY_MAX);
    bool same_keys = false, ready = false;
    char path[URL_CAP], key[32];
    int status = 0;
    snprintf(path, sizeof path, "/api/v1/namespaces/kube-system/pods/kube-apiserver-%s", node);
    if (call_server(server, "GET", path, NULL, NULL, &status, &body, err) < 0)
        return -1;
    struct json_pull j = JSON_PULL_INIT(body.data ? body.data : "", body.len);
    for (json_pull_open(&j, '{'); status == 200 && json_pull_key(&j, key, sizeof key);)
        if (strcmp(key, "metadata") == 0)
            read_keys(&j, keys, &same_keys);
        else if (strcmp(key, "status") == 0 && json_pull_peek(&j) == '{')
            read_status(&j, &ready);
        else
            json_pull_skip(&j);
    if (status != 200 && status != 404)
        return err_set(err, ERR_REMOTE, 0, "the API server answered %d to its pod", status);
    if (status == 200 && json_pull_end(&j, "the API server's pod", err) < 0)
        return -1;
    *ret_ready = same_keys && ready;
    return 0;
}
