#include "cloud/storage/storage.h"

#include <string.h>

#include <sodium.h>

#include "cloud/storage/internal.h"
#include "cloud/storage/url.h"
#include "io/crc32c.h"
#include "io/file.h"
#include "text/hex.h"

enum { BOUNDARY_BYTES = 16, BOUNDARY_CAP = 2 * BOUNDARY_BYTES + 8 };

const char *storage_role(const struct storage *storage, char out[static ROLE_CAP])
{
    snprintf(out, ROLE_CAP, "roles/storage.objectUser on the bucket gs://%.222s", storage->bucket);
    return out;
}

const char *storage_what(const struct storage *storage, const char *name, char out[static WHAT_CAP])
{
    snprintf(out, WHAT_CAP, "gs://%.222s/%.1024s", storage->bucket, name ? name : "");
    return out;
}

/* A 404 may also mean that the bucket does not exist; the server's message is the same for every kind of
 * request. */
int storage_refused(const struct storage *storage, const struct api_result *result, const char *what,
                    struct err *err)
{
    char role[ROLE_CAP];
    api_refused(result, what, storage_role(storage, role), err);
    if (result->status != 404)
        return -1;
    char refusal[ERR_TEXT_MAX];
    snprintf(refusal, sizeof refusal, "%s", err->text);
    return err_set(err, ERR_REMOTE, 0,
                   "%.1900s (does the bucket gs://%.60s exist? --create-bucket creates it)", refusal,
                   storage->bucket);
}

bool object_same_class(const char *a, const char *b)
{
    return !*a || !*b || strcmp(a, b) == 0;
}

int storage_read_object(const cJSON *json, const char *name, struct object *ret, struct err *err)
{
    struct object object = {.generation = api_uint(json, "generation"), .size = api_uint(json, "size")};
    if (object.generation == 0)
        return err_set(err, ERR_REMOTE, 0, "%.1024s: the server's answer names no generation", name);
    if (!crc32c_read(api_text(json, "crc32c"), &object.crc32c))
        return err_set(err, ERR_REMOTE, 0, "%.1024s: the server's answer has no CRC-32C", name);
    if (!api_time(api_text(json, "timeCreated"), &object.created_ms))
        object.created_ms = INT64_MAX; /* unknown age: never old enough to be deleted */
    snprintf(object.storage_class, sizeof object.storage_class, "%s", api_text(json, "storageClass"));
    *ret = object;
    return 0;
}

int storage_get(const struct storage *storage, const char *name, struct object *ret, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    cleanup_api_result struct api_result result = {0};
    char what[WHAT_CAP];
    if (storage_url_object(storage, name, &url, err) < 0 ||
        api_call(&storage->api, "GET", url.data, NULL, storage_what(storage, name, what), &result, err) < 0)
        return -1;
    if (result.status == 404) {
        *ret = (struct object){0};
        return 0;
    }
    if (!api_ok(&result))
        return storage_refused(storage, &result, what, err);
    return storage_read_object(json_root(result.doc), what, ret, err);
}

static int remove_generation(const struct storage *storage, const char *name, uint64_t generation,
                             bool *ret_kept, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    cleanup_api_result struct api_result result = {0};
    char what[WHAT_CAP];
    if (storage_url_generation(storage, name, generation, &url, err) < 0 ||
        api_call(&storage->api, "DELETE", url.data, NULL, storage_what(storage, name, what), &result, err) <
            0)
        return -1;
    if (api_ok(&result) || result.status == 404)
        return 0;
    *ret_kept = strcmp(result.error.reason, "retentionPolicyNotMet") == 0 ||
                strcmp(result.error.reason, "objectUnderActiveHold") == 0;
    return storage_refused(storage, &result, what, err);
}

int storage_delete(const struct storage *storage, const char *name, uint64_t generation, struct err *err)
{
    bool kept = false;
    return remove_generation(storage, name, generation, &kept, err);
}

int storage_delete_unless_kept(const struct storage *storage, const char *name, uint64_t generation,
                               bool *ret_kept, struct err *err)
{
    *ret_kept = false;
    return remove_generation(storage, name, generation, ret_kept, err) < 0 && !*ret_kept ? -1 : 0;
}

static bool same_bytes(const struct object *a, const struct object *b)
{
    return a->size == b->size && a->crc32c == b->crc32c;
}

int storage_check(const struct storage *storage, const char *name, const struct object *found,
                  const struct object *want, bool made, struct err *err)
{
    char have_sum[CRC32C_TEXT], want_sum[CRC32C_TEXT];
    if (same_bytes(found, want))
        return 0;
    crc32c_text(found->crc32c, have_sum);
    crc32c_text(want->crc32c, want_sum);
    if (!made)
        return err_set(
            err, ERR_REMOTE, 0,
            "gs://%s/%s exists already with other bytes (%llu with CRC-32C %s, expected %llu with %s): "
            "delete it, or use another bucket or prefix",
            storage->bucket, name, (unsigned long long)found->size, have_sum, (unsigned long long)want->size,
            want_sum);
    struct err ignored = {0};
    bool gone = storage_delete(storage, name, found->generation, &ignored) == 0;
    return err_set(err, ERR_REMOTE, 0,
                   "gs://%s/%s: the server stored %llu bytes with CRC-32C %s, but %llu with %s were sent: %s",
                   storage->bucket, name, (unsigned long long)found->size, have_sum,
                   (unsigned long long)want->size, want_sum,
                   gone ? "it was deleted; run the same command again" : "and it could not be deleted");
}

/* After a write with ifGenerationMatch=REPLACES: 200 made the object, 412 found one. So may 403 have: an
 * account that may not delete gets it when an object is in the way, even though nothing is to be replaced.
 * *RET_GONE: 412, but the object does not exist (a source's precondition failed, or something deleted it
 * again). */
static int check_written(const struct storage *storage, const char *name, const struct api_result *result,
                         uint64_t replaces, const struct object *want, struct object *ret, bool *ret_gone,
                         struct err *err)
{
    char what[WHAT_CAP];
    struct object found = {0};
    struct err ignored = {0};
    bool made = api_ok(result);
    *ret_gone = false;
    if (result->status == 403 && storage_get(storage, name, &found, &ignored) == 0 && found.generation &&
        found.generation != replaces && same_bytes(&found, want)) {
        *ret = found;
        return 0;
    }
    if (!made && result->status != 412)
        return storage_refused(storage, result, storage_what(storage, name, what), err);
    if ((made ? storage_read_object(json_root(result->doc), name, &found, err)
              : storage_get(storage, name, &found, err)) < 0)
        return -1;
    if (found.generation == 0) {
        *ret_gone = true;
        return 0;
    }
    if (storage_check(storage, name, &found, want, made, err) < 0)
        return -1;
    *ret = found;
    return 0;
}

int storage_send(const struct storage *storage, const char *name, const struct http_request *req,
                 uint64_t replaces, const struct object *want, struct object *ret, struct err *err)
{
    cleanup_api_result struct api_result result = {0};
    bool gone = false;
    if (api_send(&storage->api, req, &result, err) < 0 ||
        check_written(storage, name, &result, replaces, want, ret, &gone, err) < 0)
        return -1;
    return !gone ? 0
                 : err_set(err, ERR_REMOTE, 0, "%s: something else deletes it: run the same command again",
                           req->what);
}

struct object_content object_content_of(const void *memory, size_t len)
{
    return (struct object_content){
        .memory = memory, .fd = -1, .len = len, .crc32c = crc32c_add(0, memory, len)};
}

void storage_describe(const char *name, const char *type, uint32_t crc32c, struct json_writer *to)
{
    char sum[CRC32C_TEXT];
    crc32c_text(crc32c, sum);
    json_open(to, NULL, '{');
    json_string(to, "name", name);
    json_string(to, "contentType", type);
    json_string(to, "crc32c", sum);
    json_close(to, '}');
}

/* multipart/related (RFC 2387): the object's metadata, then its bytes. */
static int multipart(const char *name, const char *type, const struct object_content *content,
                     const char boundary[static BOUNDARY_CAP], struct buf *ret, struct err *err)
{
    struct json_writer json = {.buf = ret};
    buf_printf(ret, "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n", boundary);
    storage_describe(name, type, content->crc32c, &json);
    buf_printf(ret, "\r\n--%s\r\nContent-Type: %s\r\n\r\n", boundary, type);
    if (content->memory) {
        buf_add(ret, content->memory, (size_t)content->len);
    } else {
        cleanup_free void *bytes = malloc((size_t)content->len + 1);
        if (!bytes)
            return err_oom(err);
        if (file_pread(content->fd, bytes, (size_t)content->len, content->off, "the archive", err) < 0)
            return -1;
        buf_add(ret, bytes, (size_t)content->len);
    }
    buf_printf(ret, "\r\n--%s--\r\n", boundary);
    return json_write_end(&json, name, err);
}

int storage_insert(const struct storage *storage, const char *name, const char *type,
                   const struct object_content *content, uint64_t replaces, struct object *ret,
                   struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    cleanup_buf struct buf body = BUF_INIT((size_t)content->len + OBJECT_FRAME_MAX);
    const struct object want = {.size = content->len, .crc32c = content->crc32c};
    unsigned char random[BOUNDARY_BYTES];
    char boundary[BOUNDARY_CAP] = "bake-", content_type[64 + BOUNDARY_CAP], what[WHAT_CAP];
    randombytes_buf(random, sizeof random); /* unpredictable, so the bytes cannot contain it */
    hex_encode(random, sizeof random, boundary + strlen(boundary));
    snprintf(content_type, sizeof content_type, "multipart/related; boundary=%s", boundary);
    if (storage_url_upload(storage, UPLOAD_MULTIPART, NULL, replaces, &url, err) < 0 ||
        multipart(name, type, content, boundary, &body, err) < 0)
        return -1;
    const struct http_header headers[] = {{"Content-Type", content_type}};
    const struct http_request req = {.method = "POST",
                                     .url = url.data,
                                     .what = storage_what(storage, name, what),
                                     .headers = headers,
                                     .header_count = 1,
                                     .body = HTTP_MEMORY,
                                     .memory = body.data,
                                     .len = body.len};
    return storage_send(storage, name, &req, replaces, &want, ret, err);
}

static int compose_body(const char *type, const struct object_source *sources, size_t count, struct buf *ret,
                        struct err *err)
{
    struct json_writer json = {.buf = ret};
    json_open(&json, NULL, '{');
    json_open(&json, "destination", '{');
    json_string(&json, "contentType", type);
    json_close(&json, '}');
    json_open(&json, "sourceObjects", '[');
    for (size_t i = 0; i < count; i++) {
        char generation[24];
        snprintf(generation, sizeof generation, "%llu", (unsigned long long)sources[i].generation);
        json_open(&json, NULL, '{');
        json_string(&json, "name", sources[i].name);
        json_string(&json, "generation", generation);
        json_open(&json, "objectPreconditions", '{');
        json_string(&json, "ifGenerationMatch", generation);
        json_close(&json, '}');
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    return json_write_end(&json, "a request to compose", err);
}

int storage_compose(const struct storage *storage, const char *name, const char *type,
                    const struct object_source *sources, size_t count, uint64_t replaces,
                    const struct object *want, struct object *ret, bool *ret_missing, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    cleanup_buf struct buf body = BUF_INIT(256 << 10);
    cleanup_api_result struct api_result result = {0};
    char what[WHAT_CAP];
    if (storage_url_compose(storage, name, replaces, &url, err) < 0 ||
        compose_body(type, sources, count, &body, err) < 0 ||
        api_call(&storage->api, "POST", url.data, &body, storage_what(storage, name, what), &result, err) < 0)
        return -1;
    if (result.status == 404) {
        *ret_missing = true;
        return 0;
    }
    return check_written(storage, name, &result, replaces, want, ret, ret_missing, err);
}
