#include "http/exchange.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "http/url.h"
#include "io/file.h"

enum {
    UPLOAD_BUFFER = 256 << 10,
    PIECES_A_SECOND = 20, /* of a limited upload */
    PIECE_MIN = 1024
};
enum { NS_IN_S = 1000000000 };

/* "POST https://host/path": a query may hold an upload's secret, and a malformed URL may hold anything. */
static void name_request(struct exchange *x)
{
    const struct http_request *req = x->req;
    if (req->what)
        snprintf(x->where, sizeof x->where, "%s", req->what);
    else
        snprintf(x->where, sizeof x->where, "%s %.*s", req->method,
                 x->shown ? (int)strcspn(req->url, "?") : 0, req->url);
}

static int check_url(struct exchange *x, struct err *err)
{
    struct url_parts parts;
    x->shown = url_parts(x->req->url, &parts, err) == 0;
    name_request(x);
    if (!x->shown) {
        err->kind = ERR_VERIFY;
        return err_wrap(err, "%s", x->where);
    }
    x->transport = (struct transport){.url = x->req->url,
                                      .why = x->curl_why,
                                      .ca = &x->http->options.ca,
                                      .connect_timeout_ms = x->req->connect_timeout_ms
                                                                ? x->req->connect_timeout_ms
                                                                : x->http->options.connect_timeout_ms,
                                      .direct = !parts.https};
    if (parts.https || parts.loopback || x->req->metadata)
        return 0;
    return err_set(err, ERR_VERIFY, 0, "%s: plain http to another machine is refused: use https", x->where);
}

static bool header_ok(const struct http_header *header)
{
    for (const char *c = header->name; *c; c++)
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f || *c == ':' || *c == ';')
            return false;
    for (const char *c = header->value; *c; c++)
        if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
            return false;
    return header->name[0] != '\0';
}

static void wipe_headers(struct exchange *x)
{
    for (struct curl_slist *at = x->headers; at; at = at->next)
        explicit_bzero(at->data, strlen(at->data));
    curl_slist_free_all(x->headers);
    x->headers = NULL;
}

static int add_header(struct exchange *x, const char *name, const char *value, struct err *err)
{
    size_t cap = strlen(name) + strlen(value) + 16;
    char *line = malloc(cap);
    if (!line)
        return err_oom(err);
    if (value[0])
        snprintf(line, cap, "%s: %s", name, value);
    else
        snprintf(line, cap, "%s;", name); /* libcurl's syntax for an empty header */
    struct curl_slist *more = curl_slist_append(x->headers, line);
    explicit_bzero(line, cap);
    free(line);
    if (!more)
        return err_oom(err);
    x->headers = more;
    return 0;
}

static int add_bearer(struct exchange *x, struct err *err)
{
    struct http_header header = {"Authorization", x->req->bearer};
    if (!header_ok(&header))
        return err_set(err, ERR_VERIFY, 0, "%s: the access token contains invalid bytes", x->where);
    size_t cap = strlen(x->req->bearer) + 16;
    char *value = malloc(cap);
    if (!value)
        return err_oom(err);
    snprintf(value, cap, "Bearer %s", x->req->bearer);
    int added = add_header(x, "Authorization", value, err);
    explicit_bzero(value, cap);
    free(value);
    return added;
}

static int add_headers(struct exchange *x, struct err *err)
{
    const struct http_request *req = x->req;
    for (size_t i = 0; i < req->header_count; i++) {
        if (!header_ok(&req->headers[i]))
            return err_set(err, ERR_VERIFY, 0, "%s: a request header contains invalid bytes", x->where);
        if (add_header(x, req->headers[i].name, req->headers[i].value, err) < 0)
            return -1;
    }
    if (req->bearer && add_bearer(x, err) < 0)
        return -1;
    /* without this, libcurl waits a second for a "100 Continue" that Google's servers do not send */
    struct curl_slist *more = curl_slist_append(x->headers, "Expect:");
    if (!more)
        return err_oom(err);
    x->headers = more;
    return 0;
}

/* How many of WANT bytes may be sent now; 0: none before x->grant_ns. Threads share the rate: each reserves a
 * piece in turn. */
static size_t rate_grant(struct exchange *x, size_t want)
{
    struct http *http = x->http;
    uint64_t rate = http->options.upload_rate;
    if (!rate)
        return want;
    int64_t now = clock_now_ns();
    if (!x->grant_ns) {
        uint64_t piece = rate / PIECES_A_SECOND < PIECE_MIN ? PIECE_MIN : rate / PIECES_A_SECOND;
        x->grant_len = piece < want ? (size_t)piece : want;
        pthread_mutex_lock(&http->lock);
        x->grant_ns = http->rate_free_ns > now ? http->rate_free_ns : now;
        http->rate_free_ns = x->grant_ns + (int64_t)((double)x->grant_len / (double)rate * NS_IN_S);
        pthread_mutex_unlock(&http->lock);
    }
    if (x->grant_ns > now)
        return 0;
    x->grant_ns = 0;
    return x->grant_len < want ? x->grant_len : want;
}

static size_t on_read(char *to, size_t size, size_t count, void *ctx)
{
    struct exchange *x = ctx;
    const struct http_request *req = x->req;
    uint64_t left = req->len - x->done;
    size_t len = size * count;
    if (len > left)
        len = (size_t)left;
    if (len == 0)
        return 0;
    len = rate_grant(x, len);
    if (len == 0) {
        x->paused = true;
        return CURL_READFUNC_PAUSE;
    }
    if (req->body == HTTP_FILE) {
        if (file_pread(req->fd, to, len, req->off + x->done, x->where, &x->why) < 0) {
            x->failed = true;
            return CURL_READFUNC_ABORT;
        }
    } else {
        memcpy(to, (const char *)req->memory + x->done, len);
    }
    x->done += len;
    return len;
}

static size_t fail(struct exchange *x)
{
    x->failed = true;
    return 0;
}

/* Keeps the headers as "name:value" strings, each with its NUL. */
static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct exchange *x = ctx;
    struct buf *head = &x->answer.head;
    size_t len = size * count;
    x->head_bytes += len;
    if (x->head_bytes > HTTP_HEAD_MAX) {
        err_set(&x->why, ERR_REMOTE, 0, "%s: the server sent an endless header", x->where);
        return fail(x);
    }
    if (len >= 5 && strncmp(line, "HTTP/", 5) == 0) { /* what came before was an interim answer */
        head->len = 0;
        x->head_whole = false;
        return len;
    }
    x->head_whole = x->head_whole || line[0] == '\r' || line[0] == '\n';
    const char *colon = memchr(line, ':', len);
    if (!colon || colon == line || line[0] == ' ' || line[0] == '\t')
        return len;
    const char *value = colon + 1;
    const char *end = line + len;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
        end--;
    for (const char *c = value; c < end; c++)
        if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
            return len;
    buf_add(head, line, (size_t)(colon - line) + 1);
    buf_add(head, value, (size_t)(end - value));
    buf_add(head, "", 1);
    return len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct exchange *x = ctx;
    const struct http_request *req = x->req;
    size_t len = size * count;
    long status = 0;
    if (req->sink && curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
        (status == 200 || status == 206)) {
        x->in_sink = true;
        return req->sink(req->sink_ctx, bytes, len, &x->why) < 0 ? fail(x) : len;
    }
    buf_add(&x->answer.body, bytes, len);
    if (x->answer.body.failed) {
        err_set(&x->why, ERR_REMOTE, 0, "%s: the answer is larger than the %zu bytes that are allowed",
                x->where, x->answer.body.max);
        return fail(x);
    }
    return len;
}

static CURLcode set_target(const struct exchange *x)
{
    CURL *easy = x->easy;
    /* optional: a connection carries one exchange at a time, so HTTP/2 gains nothing */
    (void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, x->headers);
    if (code == CURLE_OK) /* do not send these headers to a proxy */
        code = curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    return code;
}

/* No seek callback on purpose: a connection cut after part of the body was sent must be an error. With the
 * callback, libcurl would repeat the request unnoticed. */
static CURLcode set_method(struct exchange *x)
{
    const struct http_request *req = x->req;
    const char *method = req->method;
    CURL *easy = x->easy;
    bool upload = req->body != HTTP_NO_BODY || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
                  strcmp(method, "PATCH") == 0;
    if (strcmp(method, "HEAD") == 0)
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (strcmp(method, "GET") == 0 && !upload)
        return CURLE_OK;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    if (code != CURLE_OK || !upload)
        return code;
    code = curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                                (curl_off_t)(req->body == HTTP_NO_BODY ? 0 : req->len));
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_READDATA, x);
    return code;
}

static CURLcode set_callbacks(struct exchange *x)
{
    CURL *easy = x->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
    return code;
}

/* Reserves the full size: a growing buffer leaves copies of a secret behind. */
static int reserve(struct buf *body, struct err *err)
{
    body->data = malloc(body->max + 1);
    if (!body->data)
        return err_oom(err);
    body->data[0] = '\0';
    body->capacity = body->max + 1;
    return 0;
}

int exchange_begin(struct exchange *x, struct err *err)
{
    x->answer.head.max = HTTP_HEAD_MAX;
    x->answer.body.max = x->req->answer_max ? x->req->answer_max : HTTP_ANSWER_MAX;
    if (check_url(x, err) < 0 || add_headers(x, err) < 0)
        return -1;
    if (x->req->secret && reserve(&x->answer.body, err) < 0)
        return -1;
    if (transport_begin(&x->transport, &x->easy, err) < 0 || transport_set(set_target(x), err) < 0 ||
        transport_set(set_method(x), err) < 0)
        return -1;
    return transport_set(set_callbacks(x), err);
}

void exchange_end(struct exchange *x)
{
    if (x->easy)
        curl_easy_cleanup(x->easy);
    wipe_headers(x);
    http_answer_free(&x->answer);
}
