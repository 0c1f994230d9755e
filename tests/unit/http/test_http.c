/* One exchange with real peers: a server of the test's own that misbehaves on order, and nginx for TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/http.h"
#include "io/file.h"
#include "tests/support/lib/nginx.h"
#include "tests/support/lib/peer.h"

struct rig {
    struct peer peer;
    struct http *http;
    struct peer_reply reply; /* what the peer says to everything */
    struct http_answer answer;
    struct err err;
};

static void say(void *ctx, unsigned nth, const struct peer_request *request, struct peer_reply *reply)
{
    (void)nth;
    (void)request;
    *reply = ((struct rig *)ctx)->reply;
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    assert_int_equal(peer_start(&rig->peer, say, rig), 0);
    assert_int_equal(http_new(NULL, &rig->http, &rig->err), 0);
    rig->reply.status = 200;
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    http_answer_free(&rig->answer);
    http_free(rig->http);
    peer_stop(&rig->peer);
    free(rig);
    return 0;
}

/* URL is a path of the peer's, or a whole one. */
static int ask(struct rig *rig, const char *method, const char *url, struct http_request req)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", url[0] == '/' ? rig->peer.url : "", url);
    http_answer_free(&rig->answer);
    req.method = method;
    req.url = whole;
    return http_exchange(rig->http, &req, NULL, &rig->answer, &rig->err);
}

static void test_get(void **state)
{
    struct rig *rig = *state;
    const struct http_header headers[] = {{"X-One", "1"}, {"X-Empty", ""}};
    rig->reply.headers = "X-Goog-Hash: crc32c=AAAA==\r\nx-goog-hash:  md5=BBBB== \r\nRange: bytes=0-5\r\n"
                         " folded: no\r\nX-Goog-Hashes: none\r\n";
    rig->reply.body = "hello";
    assert_int_equal(ask(rig, "GET", "/a%2Fb?q=1",
                         (struct http_request){.headers = headers, .header_count = 2, .bearer = "ya29.x"}),
                     0);
    assert_int_equal(rig->answer.status, 200);
    assert_string_equal(rig->answer.body.data, "hello");
    assert_string_equal(http_header(&rig->answer, "x-goog-hash", 0), "crc32c=AAAA==");
    assert_string_equal(http_header(&rig->answer, "X-Goog-Hash", 1), "md5=BBBB==");
    assert_null(http_header(&rig->answer, "X-Goog-Hash", 2));
    assert_string_equal(http_header(&rig->answer, "Range", 0), "bytes=0-5");
    assert_null(http_header(&rig->answer, "Location", 0));
    assert_true(peer_has(&rig->peer, 0, "GET /a%2Fb?q=1 HTTP/1.1"));
    assert_true(peer_has(&rig->peer, 0, "X-One: 1"));
    assert_true(peer_has(&rig->peer, 0, "X-Empty:"));
    assert_true(peer_has(&rig->peer, 0, "Authorization: Bearer ya29.x"));
    assert_true(peer_has(&rig->peer, 0, "User-Agent: bake/" BAKE_VERSION));
}

static void test_methods_and_lengths(void **state)
{
    struct rig *rig = *state;
    struct http_request body = {.body = HTTP_MEMORY, .memory = "{\"a\":1}", .len = 7};
    assert_int_equal(ask(rig, "POST", "/p", body), 0);
    assert_int_equal(ask(rig, "POST", "/p", (struct http_request){0}), 0);
    assert_int_equal(ask(rig, "PUT", "/p", (struct http_request){0}), 0);
    assert_int_equal(ask(rig, "PATCH", "/p", body), 0);
    assert_int_equal(ask(rig, "DELETE", "/p", (struct http_request){0}), 0);
    assert_int_equal(ask(rig, "HEAD", "/p", (struct http_request){0}), 0);
    assert_true(peer_has(&rig->peer, 0, "POST /p HTTP/1.1") && peer_has(&rig->peer, 0, "Content-Length: 7"));
    assert_string_equal(rig->peer.requests[0].body, "{\"a\":1}");
    assert_true(peer_has(&rig->peer, 1, "POST /p HTTP/1.1") && peer_has(&rig->peer, 1, "Content-Length: 0"));
    assert_true(peer_has(&rig->peer, 2, "PUT /p HTTP/1.1") && peer_has(&rig->peer, 2, "Content-Length: 0"));
    assert_true(peer_has(&rig->peer, 3, "PATCH /p HTTP/1.1") && peer_has(&rig->peer, 3, "Content-Length: 7"));
    assert_true(peer_has(&rig->peer, 4, "DELETE /p HTTP/1.1"));
    assert_true(peer_has(&rig->peer, 5, "HEAD /p HTTP/1.1"));
    assert_int_equal(rig->peer.connections, 1); /* kept all along */
    for (unsigned i = 0; i < 6; i++)
        assert_null(strstr(rig->peer.requests[i].head, "xpect"));
}

enum { FILE_LEN = 3 << 20, THREADS = 4 };

static int big_file(void)
{
    struct err err;
    int fd = -1;
    unsigned char *bytes = malloc(FILE_LEN);
    assert_non_null(bytes);
    for (size_t i = 0; i < FILE_LEN; i++)
        bytes[i] = (unsigned char)(i * 2654435761U >> 13 | 1);
    assert_int_equal(file_scratch("/tmp", &fd, &err), 0);
    assert_int_equal(file_pwrite(fd, bytes, FILE_LEN, 0, "scratch", &err), 0);
    free(bytes);
    return fd;
}

struct upload {
    struct rig *rig;
    struct http *http;
    int fd, result;
    uint64_t off, len, told;
};

static void on_sent(void *ctx, uint64_t bytes)
{
    struct upload *up = ctx;
    assert_true(bytes > up->told && bytes <= up->len);
    up->told = bytes;
}

static void *upload(void *ctx)
{
    struct upload *up = ctx;
    char url[64];
    struct http_answer answer = HTTP_ANSWER_EMPTY;
    struct err err;
    snprintf(url, sizeof url, "%s/%llu", up->rig->peer.url, (unsigned long long)up->off);
    struct http_request req = {.method = "PUT",
                               .url = url,
                               .body = HTTP_FILE,
                               .fd = up->fd,
                               .off = up->off,
                               .len = up->len,
                               .sent = on_sent,
                               .sent_ctx = up};
    up->result = http_exchange(up->http, &req, NULL, &answer, &err);
    http_answer_free(&answer);
    return NULL;
}

static void run_uploads(struct rig *rig, struct http *http, int fd, struct upload *ups)
{
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        uint64_t len = FILE_LEN / THREADS;
        ups[i] = (struct upload){.rig = rig, .http = http, .fd = fd, .off = len * i, .len = len};
        assert_int_equal(pthread_create(&threads[i], NULL, upload, &ups[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(ups[i].result, 0);
        assert_int_equal(ups[i].told, ups[i].len);
    }
}

/* Threads share one descriptor: each part arrives as it is in the file, and the offset does not move. */
static void test_file_ranges_in_threads(void **state)
{
    struct rig *rig = *state;
    struct upload ups[THREADS];
    struct err err;
    cleanup_close int fd = big_file();
    run_uploads(rig, rig->http, fd, ups);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    assert_int_equal(peer_count(&rig->peer), THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        const struct peer_request *request = &rig->peer.requests[i];
        cleanup_free char *part = malloc(FILE_LEN / THREADS);
        unsigned long off = strtoul(strchr(request->head, '/') + 1, NULL, 10);
        assert_int_equal(request->body_len, FILE_LEN / THREADS);
        assert_int_equal(file_pread(fd, part, FILE_LEN / THREADS, off, "scratch", &err), 0);
        assert_memory_equal(part, request->body, FILE_LEN / THREADS);
    }
}

static double seconds(void)
{
    return (double)clock_now_ns() / 1e9;
}

/* The limit is that of all threads together: 3 MiB at 6 MiB/s cannot take less than 0.4 s. */
static void test_rate_limit(void **state)
{
    struct rig *rig = *state;
    struct http_options options = {.upload_rate = 6 << 20};
    struct upload ups[THREADS];
    cleanup_close int fd = big_file();
    cleanup_http struct http *slow = NULL;
    assert_int_equal(http_new(&options, &slow, &rig->err), 0);
    double from = seconds();
    run_uploads(rig, slow, fd, ups);
    assert_true(seconds() - from > 0.4);
}

static void test_any_status_is_an_answer(void **state)
{
    struct rig *rig = *state;
    static const int statuses[] = {204, 302, 308, 400, 404, 412, 429, 500, 503};
    rig->reply.headers = "Location: http://127.0.0.1:1/elsewhere\r\n";
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        rig->reply.status = statuses[i];
        assert_int_equal(ask(rig, "GET", "/", (struct http_request){.bearer = "t"}), 0);
        assert_int_equal(rig->answer.status, statuses[i]);
    }
    assert_string_equal(http_header(&rig->answer, "location", 0), "http://127.0.0.1:1/elsewhere");
}

static void test_no_whole_answer(void **state)
{
    struct rig *rig = *state;
    rig->reply = (struct peer_reply){.status = 0};
    assert_int_equal(ask(rig, "POST", "/?upload_id=SECRET", (struct http_request){0}), -1);
    assert_int_equal(rig->err.kind, ERR_NETWORK);
    assert_null(strstr(rig->err.text, "SECRET"));
    assert_non_null(strstr(rig->err.text, "POST http://127.0.0.1:"));
    rig->reply = (struct peer_reply){.status = 200, .body = "0123456789", .cut = 4};
    assert_int_equal(ask(rig, "GET", "/", (struct http_request){0}), -1);
    assert_int_equal(rig->err.kind, ERR_NETWORK);
    rig->reply = (struct peer_reply){.reset = true};
    assert_int_equal(ask(rig, "GET", "/", (struct http_request){.what = "this request"}), -1);
    assert_int_equal(rig->err.kind, ERR_NETWORK);
    assert_int_equal(strncmp(rig->err.text, "this request: ", 14), 0);
    assert_int_equal(rig->answer.status, 0);
}

/* A body that went out on a kept connection is not sent again behind the caller's back. */
static void test_nothing_is_repeated(void **state)
{
    struct rig *rig = *state;
    struct http_request body = {.body = HTTP_MEMORY, .memory = "x", .len = 1};
    assert_int_equal(ask(rig, "POST", "/", body), 0);
    rig->reply.status = 0;
    assert_int_equal(ask(rig, "POST", "/", body), -1);
    assert_int_equal(rig->err.kind, ERR_NETWORK);
    assert_int_equal(peer_count(&rig->peer), 2);
}

static void test_silence(void **state)
{
    struct rig *rig = *state;
    rig->reply.delay_ms = 1300;
    assert_int_equal(ask(rig, "GET", "/", (struct http_request){.answer_s = 1}), -1);
    assert_int_equal(rig->err.kind, ERR_NETWORK);
    assert_non_null(strstr(rig->err.text, "no answer within 1 s"));
}

static void test_nobody_reads(void **state)
{
    struct rig *rig = *state;
    cleanup_free char *much = calloc(1, 16 << 20);
    const struct http_header deaf = {"X-Test-No-Body", "1"};
    const struct http_options options = {.low_speed = 1000, .low_speed_s = 1};
    http_free(rig->http);
    assert_int_equal(http_new(&options, &rig->http, &rig->err), 0);
    rig->reply.deaf = true;
    assert_int_equal(
        ask(rig, "PUT", "/",
            (struct http_request){
                .headers = &deaf, .header_count = 1, .body = HTTP_MEMORY, .memory = much, .len = 16 << 20}),
        -1);
    assert_int_equal(rig->err.kind, ERR_NETWORK);
    assert_non_null(strstr(rig->err.text, "bytes a second for"));
}

static void test_early_answer(void **state)
{
    struct rig *rig = *state;
    cleanup_free char *much = calloc(1, 16 << 20);
    const struct http_header early = {"X-Test-No-Body", "1"};
    rig->reply = (struct peer_reply){.status = 503, .body = "not now", .early = true};
    assert_int_equal(
        ask(rig, "PUT", "/",
            (struct http_request){
                .headers = &early, .header_count = 1, .body = HTTP_MEMORY, .memory = much, .len = 16 << 20}),
        0);
    assert_int_equal(rig->answer.status, 503);
    assert_string_equal(rig->answer.body.data, "not now");
}

static void test_caps(void **state)
{
    struct rig *rig = *state;
    rig->reply.body = "0123456789";
    assert_int_equal(ask(rig, "GET", "/", (struct http_request){.answer_max = 10}), 0);
    assert_int_equal(ask(rig, "GET", "/", (struct http_request){.answer_max = 10, .secret = true}), 0);
    assert_int_equal(ask(rig, "GET", "/", (struct http_request){.answer_max = 9}), -1);
    assert_int_equal(rig->err.kind, ERR_REMOTE);
    static char headers[3600];
    memset(headers, 'a', sizeof headers);
    memcpy(headers, "X: ", 3);
    memcpy(headers + sizeof headers - 3, "\r\n", 3);
    rig->reply.headers = headers;
    assert_int_equal(ask(rig, "GET", "/", (struct http_request){0}), 0);
}

static void *interrupt(void *ctx)
{
    struct timespec ts = {.tv_nsec = 200000000};
    nanosleep(&ts, NULL);
    *(volatile sig_atomic_t *)ctx = SIGTERM;
    return NULL;
}

static void test_interrupted(void **state)
{
    struct rig *rig = *state;
    volatile sig_atomic_t stop = 0;
    struct run run = {.stop = &stop};
    const struct http_header deaf = {"X-Test-No-Body", "1"};
    struct http_request req = {
        .method = "GET", .url = rig->peer.url, .headers = &deaf, .header_count = 1, .answer_s = 60};
    pthread_t thread;
    rig->reply.deaf = true;
    assert_int_equal(pthread_create(&thread, NULL, interrupt, (void *)(uintptr_t)&stop), 0);
    assert_int_equal(http_exchange(rig->http, &req, &run, &rig->answer, &rig->err), -1);
    assert_int_equal(rig->err.kind, ERR_INTERRUPTED);
    assert_int_equal(rig->err.errnum, SIGTERM);
    pthread_join(thread, NULL);
}

static void test_refused_before_anything_is_sent(void **state)
{
    struct rig *rig = *state;
    static const char *const urls[] = {"http://192.0.2.1/",
                                       "http://metadata.google.internal/",
                                       "http://169.254.169.254/",
                                       "http://127.0.0.1.example.com/",
                                       "https://user:pw@127.0.0.1/",
                                       "https://127.0.0.1/#x",
                                       "ftp://127.0.0.1/",
                                       "file:///etc/passwd",
                                       "https:///x",
                                       "https://a b/"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        assert_int_equal(ask(rig, "GET", urls[i], (struct http_request){.bearer = "t"}), -1);
        assert_int_equal(rig->err.kind, ERR_VERIFY);
        assert_null(strstr(rig->err.text, "pw"));
    }
    const struct http_header bad[] = {{"X", "a\r\nEvil: 1"}, {"X:", "a"}, {"", "a"}, {"X\n", "a"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ask(rig, "GET", "/", (struct http_request){.headers = &bad[i], .header_count = 1}),
                         -1);
        assert_int_equal(rig->err.kind, ERR_VERIFY);
    }
    assert_int_equal(ask(rig, "GET", "/", (struct http_request){.bearer = "a\r\nEvil: 1"}), -1);
    assert_null(strstr(rig->err.text, "Evil"));
    assert_int_equal(peer_count(&rig->peer), 0);
}

struct sunk {
    struct buf bytes;
    bool fail;
};

static int sink(void *ctx, const void *bytes, size_t len, struct err *err)
{
    struct sunk *sunk = ctx;
    buf_add(&sunk->bytes, bytes, len);
    return sunk->fail ? err_set(err, ERR_SPACE, 0, "no room") : 0;
}

static void test_sink(void **state)
{
    struct rig *rig = *state;
    struct sunk sunk = {.bytes = BUF_INIT(100)};
    struct http_request req = {.sink = sink, .sink_ctx = &sunk, .answer_max = 4};
    rig->reply.body = "0123456789";
    assert_int_equal(ask(rig, "GET", "/", req), 0);
    assert_string_equal(sunk.bytes.data, "0123456789");
    assert_int_equal(rig->answer.body.len, 0);
    rig->reply = (struct peer_reply){.status = 404, .body = "no"};
    assert_int_equal(ask(rig, "GET", "/", req), 0);
    assert_string_equal(rig->answer.body.data, "no");
    assert_int_equal(sunk.bytes.len, 10);
    rig->reply.status = 200;
    sunk.fail = true;
    assert_int_equal(ask(rig, "GET", "/", req), -1);
    assert_int_equal(rig->err.kind, ERR_SPACE);
    buf_free(&sunk.bytes);
}

static void test_file_is_cut_during_the_upload(void **state)
{
    struct rig *rig = *state;
    cleanup_close int fd = big_file();
    assert_int_equal(ask(rig, "PUT", "/",
                         (struct http_request){.body = HTTP_FILE, .fd = fd, .off = FILE_LEN - 10, .len = 20}),
                     -1);
    assert_int_equal(rig->err.kind, ERR_IO);
    rig->reply.status = 200; /* and the next one is not disturbed */
    assert_int_equal(ask(rig, "GET", "/", (struct http_request){0}), 0);
}

/* TLS by nginx, which passes on to the peer; and a proxy that sees no header of ours. */
static void test_tls_and_proxy(void **state)
{
    struct rig *rig = *state;
    struct nginx nginx;
    char snippet[128], url[64], ca[128], proxy[64];
    struct http_request req = {
        .method = "PUT", .url = url, .bearer = "ya29.secret", .body = HTTP_MEMORY, .memory = "abc", .len = 3};
    snprintf(snippet, sizeof snippet, "location / { proxy_pass %s; }", rig->peer.url);
    assert_int_equal(nginx_start(&nginx, snippet, true), 0);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/x", nginx.tls_port);
    snprintf(ca, sizeof ca, "%s/tls.crt", nginx.dir);
    assert_int_equal(http_exchange(rig->http, &req, NULL, &rig->answer, &rig->err), -1);
    assert_int_equal(rig->err.kind, ERR_VERIFY);
    assert_int_equal(peer_count(&rig->peer), 0);

    struct http_options options = {.ca = ca_choose(ca)};
    cleanup_http struct http *trusting = NULL;
    assert_int_equal(http_new(&options, &trusting, &rig->err), 0);
    assert_int_equal(http_exchange(trusting, &req, NULL, &rig->answer, &rig->err), 0);
    assert_int_equal(rig->answer.status, 200);
    assert_true(peer_has(&rig->peer, 0, "Authorization: Bearer ya29.secret"));
    assert_string_equal(rig->peer.requests[0].body, "abc");
    http_answer_free(&rig->answer);

    cleanup_http struct http *proxied = NULL; /* with no connection of its own yet */
    assert_int_equal(http_new(&options, &proxied, &rig->err), 0);
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", rig->peer.port);
    setenv("https_proxy", proxy, 1);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    rig->reply.status = 502;
    assert_int_equal(http_exchange(proxied, &req, NULL, &rig->answer, &rig->err), -1);
    assert_int_equal(rig->err.kind, ERR_NETWORK);
    assert_int_equal(strncmp(rig->peer.requests[1].head, "CONNECT 127.0.0.1:", 18), 0);
    assert_null(strstr(rig->peer.requests[1].head, "ya29"));
    rig->reply.status = 200; /* plain http to this machine goes past every proxy */
    assert_int_equal(ask(rig, "GET", "/direct", (struct http_request){0}), 0);
    assert_true(peer_has(&rig->peer, 2, "GET /direct HTTP/1.1"));
    unsetenv("https_proxy");
    unsetenv("http_proxy");
    nginx_stop(&nginx);
}

#define with_rig(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_rig(test_get),
        with_rig(test_methods_and_lengths),
        with_rig(test_file_ranges_in_threads),
        with_rig(test_rate_limit),
        with_rig(test_any_status_is_an_answer),
        with_rig(test_no_whole_answer),
        with_rig(test_nothing_is_repeated),
        with_rig(test_silence),
        with_rig(test_nobody_reads),
        with_rig(test_early_answer),
        with_rig(test_caps),
        with_rig(test_interrupted),
        with_rig(test_refused_before_anything_is_sent),
        with_rig(test_sink),
        with_rig(test_file_is_cut_during_the_upload),
        with_rig(test_tls_and_proxy),
    };
    return cmocka_run_group_tests_name("cloud/http", tests, NULL, NULL);
}
