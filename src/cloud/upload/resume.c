/* upload_resumable(): one session, chunk by chunk, continued from where the server says it is.
 * Source: cloud.google.com/storage/docs/performing-resumable-uploads; requests as gcloud sends them. */
#include <string.h>

#include "io/crc32c.h"
#include "cloud/storage/url.h"
#include "cloud/upload/upload.h"

enum { CHUNK = 16 << 20 /* a multiple of 256 KiB, as all chunks but the last must be */, SESSIONS_MAX = 3 };

struct resumable {
    const struct upload *upload;
    struct push_state *state;
    const struct upload_part *whole; /* the archive */
    struct upload_counts *counts;
    char what[320];
    uint64_t at;          /* bytes that the server has stored */
    bool gone;            /* the session no longer exists: 404, 410 */
    struct object object; /* set when the upload is complete: its generation is not 0 */
};

static const struct api *api_of(const struct resumable *s)
{
    return &s->upload->storage->api;
}

/* "bytes=0-N": N + 1 bytes are stored; without Range, none. */
static int read_range(struct resumable *s, const struct http_answer *answer, struct err *err)
{
    const char *range = http_header(answer, "Range", 0);
    unsigned long long last = 0;
    int end = 0;
    if (!range) {
        s->at = 0;
        return 0;
    }
    if (sscanf(range, "bytes=0-%20llu%n", &last, &end) != 1 || range[end] || last >= s->whole->size)
        return err_set(err, ERR_REMOTE, 0, "%s: the server reports a range that was never sent", s->what);
    s->at = last + 1;
    return 0;
}

/* The next run does not continue a session that failed. */
static void forget_session(const struct resumable *s)
{
    struct err ignored;
    s->state->session[0] = '\0';
    if (state_save(s->state, &ignored) < 0)
        run_warn(api_of(s)->run, "push", "%s", ignored.text);
}

/* ASKED: the upload was complete before, and the object may have changed since. */
static int check_finished(struct resumable *s, const struct http_answer *answer, bool asked, struct err *err)
{
    cleanup_json struct json_doc *doc = NULL;
    const struct object want = {.size = s->whole->size, .crc32c = s->whole->crc32c};
    if (asked) {
        if (storage_get(s->upload->storage, s->whole->name, &s->object, err) < 0)
            return -1;
        s->gone = s->object.generation == 0;
        return s->gone ? 0 : storage_check(s->upload->storage, s->whole->name, &s->object, &want, false, err);
    }
    if (json_parse(answer->body.data ? answer->body.data : "", answer->body.len, s->what, JSON_STRICT,
                   ERR_REMOTE, &doc, err) < 0 ||
        storage_read_object(json_root(doc), s->what, &s->object, err) < 0)
        return -1;
    return storage_check(s->upload->storage, s->whole->name, &s->object, &want, true, err);
}

/* Another push has made the object. */
static int check_existing(struct resumable *s, struct err *err)
{
    const struct object want = {.size = s->whole->size, .crc32c = s->whole->crc32c};
    if (storage_get(s->upload->storage, s->whole->name, &s->object, err) < 0)
        return -1;
    if (s->object.generation == 0)
        return err_set(err, ERR_REMOTE, 0, "%s: something else deletes it: run the same command again",
                       s->what);
    return storage_check(s->upload->storage, s->whole->name, &s->object, &want, false, err);
}

static int session_refused(const struct resumable *s, const struct http_answer *answer, struct err *err)
{
    struct api_result result = {.status = answer->status};
    char role[ROLE_CAP];
    api_error_read(answer, &result.error);
    return api_refused(&result, s->what, storage_role(s->upload->storage, role), err);
}

/* Takes any answer of the session. *RET_RETRY: it is not final. */
static int read_answer(struct resumable *s, const struct http_answer *answer, bool asked, bool *ret_retry,
                       struct err *err)
{
    *ret_retry = api_retry_wanted(answer);
    if (*ret_retry)
        return 0;
    switch (answer->status) {
    case 308:
        return read_range(s, answer, err);
    case 200:
    case 201:
        if (check_finished(s, answer, asked, err) == 0)
            return 0;
        forget_session(s);
        return -1;
    case 404:
    case 410:
        s->gone = true;
        return 0;
    case 412:
        return check_existing(s, err);
    default:
        if (answer->status != 401 && answer->status != 403) /* the session outlives a token that is refused */
            forget_session(s);
        return session_refused(s, answer, err);
    }
}

/* A PUT to the session: LEN bytes from s->at, or, with LEN 0, a query of its progress. */
static int put_chunk(struct resumable *s, uint64_t len, struct http_answer *answer, struct err *err)
{
    char range[80], hash[32], sum[CRC32C_TEXT];
    struct http_header headers[2] = {{"Content-Range", range}, {"X-Goog-Hash", hash}};
    unsigned long long total = s->whole->size;
    struct http_request req = {.method = "PUT",
                               .url = s->state->session,
                               .what = s->what,
                               .headers = headers,
                               .header_count = 1,
                               .body = len ? HTTP_FILE : HTTP_NO_BODY,
                               .fd = s->upload->fd,
                               .off = s->whole->off + s->at,
                               .len = len};
    snprintf(range, sizeof range, "bytes */%llu", total);
    if (len > 0)
        snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)s->at,
                 (unsigned long long)(s->at + len - 1), total);
    if (len > 0 && s->at + len == s->whole->size) { /* the server checks the whole object against it */
        crc32c_text(s->whole->crc32c, sum);
        snprintf(hash, sizeof hash, "crc32c=%s", sum);
        req.header_count = 2;
    }
    return client_send(api_of(s)->client, &req, api_of(s)->run, answer, err);
}

/* Sends until the upload is complete or the session gone. After every failure the server is asked for its
 * progress, and nothing that it has is sent again. */
static int send_chunks(struct resumable *s, bool ask, struct err *err)
{
    const struct run *run = api_of(s)->run;
    struct retry retry;
    retry_begin(&retry, "cloud", &api_of(s)->client->retry, api_of(s)->client->clock);
    while (!s->gone && s->object.generation == 0) {
        cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
        uint64_t left = s->whole->size - s->at, before = s->at, len = ask ? 0 : left < CHUNK ? left : CHUNK;
        bool again = false;
        run_progress(run, "push", s->whole->name, s->at, s->whole->size);
        if (put_chunk(s, len, &answer, err) < 0) {
            if (retry_error(&retry, s->what, run, err) < 0)
                return -1;
            ask = true;
            continue;
        }
        if (read_answer(s, &answer, ask, &again, err) < 0)
            return -1;
        if (again) {
            if (api_retry_answer(&retry, s->what, &answer, run, err) < 0)
                return -1;
            ask = true;
            continue;
        }
        if (s->object.generation != 0 && !ask)
            s->counts->bytes_sent += len;
        else if (s->at > before && !ask)
            s->counts->bytes_sent += s->at - before;
        if (s->at > before)
            retry_progress(&retry);
        else if (!ask && !s->gone && s->object.generation == 0) {
            err_set(err, ERR_NETWORK, 0, "%s: the server stores nothing of what it receives", s->what);
            if (retry_error(&retry, s->what, run, err) < 0)
                return -1;
        }
        ask = false;
    }
    return 0;
}

/* The session's URI must be on the same host: the token goes there too. */
static bool same_server(const char *base, const char *url)
{
    const char *host = strstr(base, "://");
    size_t len = host ? (size_t)(host + 3 - base) + strcspn(host + 3, "/?#") : 0;
    return len > 0 && strncmp(base, url, len) == 0 && (url[len] == '/' || url[len] == '?');
}

static int begin_session(struct resumable *s, struct err *err)
{
    const struct storage *storage = s->upload->storage;
    cleanup_buf struct buf url = URL_INIT;
    cleanup_buf struct buf body = BUF_INIT(OBJECT_FRAME_MAX);
    struct json_writer json = {.buf = &body};
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    char size[24], sum[CRC32C_TEXT];
    snprintf(size, sizeof size, "%llu", (unsigned long long)s->whole->size);
    crc32c_text(s->whole->crc32c, sum);
    storage_describe(s->whole->name, ARCHIVE_TYPE, s->whole->crc32c, &json);
    if (storage_url_upload(storage, UPLOAD_RESUMABLE, NULL, 0, &url, err) < 0 ||
        json_write_end(&json, s->what, err) < 0)
        return -1;
    const struct http_header headers[] = {{"Content-Type", "application/json"},
                                          {"X-Upload-Content-Type", ARCHIVE_TYPE},
                                          {"X-Upload-Content-Length", size}};
    const struct http_request req = {.method = "POST",
                                     .url = url.data,
                                     .what = s->what,
                                     .headers = headers,
                                     .header_count = 3,
                                     .body = HTTP_MEMORY,
                                     .memory = body.data,
                                     .len = body.len};
    if (client_call(storage->api.client, &req, storage->api.run, &answer, err) < 0)
        return -1;
    if (answer.status == 412)
        return check_existing(s, err);
    if (answer.status != 200 && answer.status != 201)
        return session_refused(s, &answer, err);
    const char *location = http_header(&answer, "Location", 0);
    if (!location || strlen(location) >= SESSION_CAP || !same_server(url.data, location))
        return err_set(err, ERR_REMOTE, 0, "%s: the server returned no usable session", s->what);
    snprintf(s->state->session, sizeof s->state->session, "%s", location);
    snprintf(s->state->object, sizeof s->state->object, "%s %s", size, sum);
    return state_save(s->state, err);
}

int upload_resumable(const struct upload *upload, struct push_state *state, struct upload_counts *counts,
                     struct err *err)
{
    struct resumable s = {
        .upload = upload, .state = state, .whole = parts_root(upload->parts), .counts = counts};
    char object[sizeof state->object], sum[CRC32C_TEXT];
    snprintf(s.what, sizeof s.what, "upload of gs://%.200s/%.100s", upload->storage->bucket, s.whole->name);
    crc32c_text(s.whole->crc32c, sum);
    snprintf(object, sizeof object, "%llu %s", (unsigned long long)s.whole->size, sum);
    counts->bytes = s.whole->size;
    bool old = state->session[0] && strcmp(state->object, object) == 0 &&
               same_server(upload->storage->api.endpoints->storage_upload, state->session);
    for (unsigned sessions = 0; s.object.generation == 0; sessions++) {
        if (sessions == SESSIONS_MAX)
            return err_set(err, ERR_REMOTE, 0, "%s: the server dropped %d sessions", s.what, SESSIONS_MAX);
        s.gone = false;
        s.at = 0;
        if (!old && begin_session(&s, err) < 0)
            return -1;
        if (s.object.generation == 0 && send_chunks(&s, old, err) < 0)
            return -1;
        old = false;
    }
    state->session[0] = '\0';
    return state_save(state, err);
}
