/* One HTTP request of a transfer and its response's body. */
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "fetch/local.h"
#include "fetch/transfer.h"

enum { IGNORED_MAX = 64 << 10 };

const char *request_where(const struct transfer *t)
{
    return t->hop.shown ? t->hop.shown : t->url.clean;
}

uint64_t request_done(const struct transfer *t)
{
    return t->cache ? t->part.done : t->text->len - t->text_start;
}

int request_restart(struct transfer *t, const char *validator, uint64_t total, struct err *err)
{
    if (t->cache) {
        if (t->part.done > 0) /* whoever follows the download has read other bytes */
            progress_end(t->req.progress, false);
        return partial_restart(&t->part, validator, total, err);
    }
    t->text->len = t->text_start;
    if (t->text->data)
        t->text->data[t->text->len] = '\0';
    return 0;
}

/* bake requests no content encoding. A server may still label a .gz file as gzip and send it unchanged. */
static int check_encoding(const struct transfer *t, struct err *err)
{
    const char *encoding = t->head.encoding;
    if (!encoding[0] || strcasecmp(encoding, "identity") == 0)
        return 0;
    const char *path = request_where(t);
    size_t len = strcspn(path, "?");
    bool gz = len > 3 && (strncasecmp(path + len - 3, ".gz", 3) == 0 ||
                          (len > 4 && strncasecmp(path + len - 4, ".tgz", 4) == 0));
    if (gz && (strcasecmp(encoding, "gzip") == 0 || strcasecmp(encoding, "x-gzip") == 0))
        return 0;
    return err_set(err, ERR_REMOTE, 0, "%s: the server sent content encoding \"%s\", which was not requested",
                   request_where(t), encoding);
}

/* The size of the whole file according to the response; 0: not given. */
static uint64_t whole_size(const struct transfer *t)
{
    curl_off_t length = -1;
    if (t->head.status == 206)
        return t->head.range_total;
    if (curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) != CURLE_OK || length < 0)
        return 0;
    return (uint64_t)length;
}

/* A part is used only if it is the range requested, of the version already here (RFC 9110 section 15.3.7). */
static bool part_fits(const struct transfer *t, uint64_t total)
{
    const struct fetch_head *head = &t->head;
    if (!t->asked_range || !head->range_given || head->range_first != t->part.done)
        return false;
    if (total && (head->range_last != total - 1 || (t->part.total && t->part.total != total)))
        return false;
    return t->part.validator[0] != '"' || !head->etag[0] || strcmp(head->etag, t->part.validator) == 0;
}

/* Decides what to do with the body, once the header is complete. */
static int begin_body(struct transfer *t, struct err *err)
{
    uint64_t total = whole_size(t);
    t->body = BODY_IGNORED;
    if (t->head.status != 200 && t->head.status != 206)
        return 0;
    if (check_encoding(t, err) < 0)
        return -1;
    if (t->head.status == 206 && !part_fits(t, total)) {
        t->body = BODY_BAD_RANGE;
        return 0;
    }
    t->body = BODY_TAKEN;
    if (total && fetch_check_size(&t->req, request_where(t), total, err) < 0)
        return -1;
    if (t->head.status == 206) {
        run_note(t->run, "fetch", "%s: resuming at byte %llu", t->req.name, (unsigned long long)t->part.done);
        return 0;
    }
    char validator[FETCH_TAG_CAP];
    fetch_head_validator(&t->head, validator);
    return request_restart(t, validator, total, err);
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t len = size * count;
    if (t->body != BODY_NONE) /* trailers */
        return len;
    if (!fetch_head_line(&t->head, line, len)) {
        err_set(t->err, ERR_REMOTE, 0, "%s: the server sent an endless header", request_where(t));
        t->failed = true;
        return 0;
    }
    if (t->head.ended && t->head.status >= 200 && begin_body(t, t->err) < 0) {
        t->failed = true;
        return 0;
    }
    return len;
}

static int receive_bytes(struct transfer *t, const char *bytes, size_t len, struct err *err)
{
    uint64_t done = request_done(t);
    uint64_t total = t->cache ? t->part.total : 0;
    uint64_t cap = t->req.want_size  ? t->req.want_size
                   : t->req.max_size ? t->req.max_size
                                     : (uint64_t)16 << 30;
    if (len > cap || done > cap - len)
        return err_set(err, ERR_VERIFY, 0, "%s has more than the %llu bytes that are %s", request_where(t),
                       (unsigned long long)cap, t->req.want_size ? "expected" : "allowed");
    if (t->cache) {
        if (partial_add(&t->part, bytes, len, err) < 0)
            return err_wrap(err, "%s", t->req.name);
        progress_advance(t->req.progress, t->part.fd, t->part.done);
    } else {
        buf_add(t->text, bytes, len);
        if (buf_check(t->text, t->req.name, err) < 0)
            return -1;
    }
    run_progress(t->run, "fetch", t->req.name, done + len, total ? total : t->req.want_size);
    return run_check(t->run, err);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t len = size * count;
    if (t->body == BODY_BAD_RANGE || t->body == BODY_NONE)
        return 0;
    if (t->body == BODY_IGNORED) { /* read a small one, so that the connection can be reused */
        t->ignored += len;
        return t->ignored > IGNORED_MAX ? 0 : len;
    }
    if (receive_bytes(t, bytes, len, t->err) < 0) {
        t->failed = true;
        return 0;
    }
    return len;
}

static int add_header(struct transfer *t, struct err *err, const char *fmt, ...) print_like(3, 4);
static int add_header(struct transfer *t, struct err *err, const char *fmt, ...)
{
    cleanup_free char *line = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&line, fmt, ap);
    va_end(ap);
    if (n < 0) {
        line = NULL;
        return err_oom(err);
    }
    struct curl_slist *more = curl_slist_append(t->headers, line);
    if (!more)
        return err_oom(err);
    t->headers = more;
    return 0;
}

/* Adds the headers that say which bytes to send, and on what condition. */
static int add_conditions(struct transfer *t, struct err *err)
{
    uint64_t done = t->cache ? t->part.done : 0;
    t->asked_range = done > 0 && t->part.validator[0] && !t->no_range;
    t->asked_if_new = !t->asked_range && t->known;
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    if (add_header(t, err, "Accept-Encoding: identity") < 0)
        return -1;
    if (t->asked_range)
        return add_header(t, err, "Range: bytes=%llu-", (unsigned long long)done) < 0
                   ? -1
                   : add_header(t, err, "If-Range: %s", t->part.validator);
    if (t->asked_if_new && t->index.etag[0])
        return add_header(t, err, "If-None-Match: %s", t->index.etag);
    if (t->asked_if_new)
        return add_header(t, err, "If-Modified-Since: %s", t->index.modified);
    return 0;
}

static CURLcode set_target(struct transfer *t)
{
    const struct fetch_options *options = &t->fetcher->options;
    const struct url *url = t->hop.clean ? &t->hop : &t->url;
    bool same_site = strcmp(url->site, t->url.site) == 0;
    CURL *easy = t->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)options->low_speed);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)options->low_speed_s);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    if (code == CURLE_OK && same_site && t->url.user)
        code = curl_easy_setopt(easy, CURLOPT_USERNAME, t->url.user);
    if (code == CURLE_OK && same_site && t->url.password)
        code = curl_easy_setopt(easy, CURLOPT_PASSWORD, t->url.password);
    return code;
}

static CURLcode set_callbacks(struct transfer *t)
{
    CURL *easy = t->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    return code;
}

struct transport request_transport(struct transfer *t)
{
    return (struct transport){.url = t->hop.clean ? t->hop.clean : t->url.clean,
                              .why = t->why,
                              .ca = &t->fetcher->options.ca,
                              .connect_timeout_ms = t->fetcher->options.connect_timeout_ms,
                              .again = t->retry.failures > 0};
}

int request_start(struct transfer *t, struct err *err)
{
    const struct transport transport = request_transport(t);
    if (ca_check(transport.ca, err) < 0 || transport_begin(&transport, &t->easy, err) < 0)
        return -1;
    t->head = (struct fetch_head){0};
    t->body = BODY_NONE;
    t->ignored = 0;
    t->failed = false;
    if (add_conditions(t, err) < 0 || transport_set(set_target(t), err) < 0 ||
        transport_set(set_callbacks(t), err) < 0)
        return -1;
    CURLMcode added = curl_multi_add_handle(t->fetcher->multi, t->easy);
    if (added != CURLM_OK)
        return err_set(err, ERR_INTERNAL, 0, "libcurl: %s", curl_multi_strerror(added));
    t->phase = TRANSFER_ACTIVE;
    return 0;
}
