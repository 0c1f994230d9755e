/* Servers that break the rules, each in a way of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fetch_rig.h"
#include "tests/support/lib/rawserver.h"

enum { SIZE = 200000, HALF = 100000 };

#define TAG        "ETag: \"v1\"\r\n"
#define WHOLE_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\nConnection: close\r\n"
#define PART_HEAD  "HTTP/1.1 206 Partial Content\r\nContent-Length: 100000\r\nConnection: close\r\n"

static unsigned char content[SIZE];

struct hostile {
    struct fetch_rig *rig;
    struct rawserver server;
    char url[64];
    struct artifact artifact;
    struct err err;
};

static void start(struct hostile *h, void **state, raw_handler *handler)
{
    *h = (struct hostile){.rig = *state, .artifact = ARTIFACT_EMPTY};
    for (size_t i = 0; i < SIZE; i++)
        content[i] = raw_byte(i);
    assert_int_equal(rawserver_start(&h->server, handler), 0);
    snprintf(h->url, sizeof h->url, "http://127.0.0.1:%u/base.bin", h->server.port);
}

static int get(struct hostile *h, uint64_t max)
{
    struct fetch_request req = {.name = "base", .url = h->url, .max_size = max};
    return rig_fetch(h->rig, &req, &h->artifact, &h->err);
}

static unsigned stop(struct hostile *h)
{
    unsigned count = h->server.log->count;
    rawserver_stop(&h->server);
    artifact_free(&h->artifact);
    return count;
}

static bool asked(const struct hostile *h, unsigned nth, const char *line)
{
    return strstr(h->server.log->requests[nth], line) != NULL;
}

static void half(int conn, const char *headers)
{
    raw_text(conn, WHOLE_HEAD);
    raw_text(conn, headers);
    raw_text(conn, "\r\n");
    raw_content(conn, 0, HALF);
}

static void whole(int conn)
{
    raw_text(conn, WHOLE_HEAD TAG "\r\n");
    raw_content(conn, 0, SIZE);
}

static void part(int conn, const char *headers)
{
    raw_text(conn, PART_HEAD);
    raw_text(conn, headers);
    raw_text(conn, "\r\n");
    raw_content(conn, HALF, SIZE - HALF);
}

static void good_part(int conn, unsigned nth, const char *request)
{
    (void)request;
    nth == 0 ? half(conn, TAG) : part(conn, TAG "Content-Range: bytes 100000-199999/200000\r\n");
}

static void a_cut_body_is_gone_on_with(void **state)
{
    struct hostile h;
    start(&h, state, good_part);
    assert_int_equal(get(&h, 0), 0);
    rig_expect(&h.artifact, content, SIZE);
    assert_true(asked(&h, 0, "Accept-Encoding: identity\r\n"));
    assert_true(asked(&h, 0, "User-Agent: bake/"));
    assert_false(asked(&h, 0, "Range:"));
    assert_true(asked(&h, 1, "Range: bytes=100000-\r\n"));
    assert_true(asked(&h, 1, "If-Range: \"v1\"\r\n"));
    assert_int_equal(stop(&h), 2);
}

static void old_modified(int conn, unsigned nth, const char *request)
{
    (void)request;
    static const char headers[] = "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
                                  "Date: Tue, 02 Jan 2024 00:00:00 GMT\r\n";
    nth == 0 ? half(conn, headers) : part(conn, "Content-Range: bytes 100000-199999/200000\r\n");
}

static void an_old_modification_date_is_a_strong_validator(void **state)
{
    struct hostile h;
    start(&h, state, old_modified);
    assert_int_equal(get(&h, 0), 0);
    rig_expect(&h.artifact, content, SIZE);
    assert_true(asked(&h, 1, "If-Range: Mon, 01 Jan 2024 00:00:00 GMT\r\n"));
    assert_int_equal(stop(&h), 2);
}

static void weak_first(int conn, unsigned nth, const char *request)
{
    (void)request;
    nth == 0 ? half(conn, "ETag: W/\"v1\"\r\n") : whole(conn);
}

static void young_modified(int conn, unsigned nth, const char *request)
{
    (void)request;
    nth == 0 ? half(conn,
                    "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nDate: Mon, 01 Jan 2024 00:00:30 GMT\r\n")
             : whole(conn);
}

static void without_a_strong_validator_it_starts_anew(void **state)
{
    raw_handler *const handlers[] = {weak_first, young_modified};
    for (size_t i = 0; i < 2; i++) {
        struct hostile h;
        start(&h, state, handlers[i]);
        assert_int_equal(get(&h, 0), 0);
        rig_expect(&h.artifact, content, SIZE);
        assert_false(asked(&h, 1, "Range:"));
        assert_int_equal(stop(&h), 2);
    }
}

/* The parts that must not be joined to what is here. */
static void wrong_start(int conn, unsigned nth, const char *request)
{
    (void)request;
    if (nth == 1)
        part(conn, TAG "Content-Range: bytes 0-99999/200000\r\n");
    else
        nth == 0 ? half(conn, TAG) : whole(conn);
}
static void wrong_total(int conn, unsigned nth, const char *request)
{
    (void)request;
    if (nth == 1)
        part(conn, TAG "Content-Range: bytes 100000-199999/200001\r\n");
    else
        nth == 0 ? half(conn, TAG) : whole(conn);
}
static void wrong_tag(int conn, unsigned nth, const char *request)
{
    (void)request;
    if (nth == 1)
        part(conn, "ETag: \"v2\"\r\nContent-Range: bytes 100000-199999/200000\r\n");
    else
        nth == 0 ? half(conn, TAG) : whole(conn);
}
static void no_range_said(int conn, unsigned nth, const char *request)
{
    (void)request;
    if (nth == 1)
        part(conn, TAG);
    else
        nth == 0 ? half(conn, TAG) : whole(conn);
}
static void absurd_range(int conn, unsigned nth, const char *request)
{
    (void)request;
    if (nth == 1)
        part(conn, TAG "Content-Range: bytes 100000-99999999999999999999999999/200000\r\n");
    else
        nth == 0 ? half(conn, TAG) : whole(conn);
}
static void not_satisfiable(int conn, unsigned nth, const char *request)
{
    (void)request;
    if (nth == 1)
        raw_text(conn,
                 "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    else
        nth == 0 ? half(conn, TAG) : whole(conn);
}

static void a_part_that_does_not_fit_is_not_joined(void **state)
{
    raw_handler *const handlers[] = {wrong_start,   wrong_total,  wrong_tag,
                                     no_range_said, absurd_range, not_satisfiable};
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        struct hostile h;
        start(&h, state, handlers[i]);
        if (get(&h, 0) < 0)
            fail_msg("handler %zu: %s", i, h.err.text);
        rig_expect(&h.artifact, content, SIZE);
        assert_true(asked(&h, 1, "Range: bytes=100000-\r\n"));
        assert_false(asked(&h, 2, "Range:"));
        assert_int_equal(stop(&h), 3);
    }
}

static void part_unasked(int conn, unsigned nth, const char *request)
{
    (void)request;
    nth == 0 ? part(conn, TAG "Content-Range: bytes 100000-199999/200000\r\n") : whole(conn);
}

static void a_part_nobody_asked_for_is_not_taken(void **state)
{
    struct hostile h;
    start(&h, state, part_unasked);
    assert_int_equal(get(&h, 0), 0);
    rig_expect(&h.artifact, content, SIZE);
    stop(&h);
}

static void always_part_unasked(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    part(conn, TAG "Content-Range: bytes 100000-199999/200000\r\n");
}

static void parts_without_end_are_given_up(void **state)
{
    struct hostile h;
    start(&h, state, always_part_unasked);
    assert_int_equal(get(&h, 0), -1);
    assert_int_equal(h.err.kind, ERR_REMOTE);
    assert_true(stop(&h) <= 5);
}

static void always_416(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

static void always_half(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    half(conn, "");
}

static void a_body_that_is_always_cut_is_a_network_error(void **state)
{
    struct hostile h;
    start(&h, state, always_half);
    assert_int_equal(get(&h, 0), -1);
    assert_int_equal(h.err.kind, ERR_NETWORK);
    assert_non_null(strstr(h.err.text, "gave up after 4 attempts"));
    assert_int_equal(stop(&h), 4);

    start(&h, state, always_416);
    assert_int_equal(get(&h, 0), -1);
    assert_int_equal(h.err.kind, ERR_REMOTE);
    assert_int_equal(stop(&h), 1);
}

static void endless_body(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    raw_content(conn, 0, (size_t)64 << 20);
}

static void endless_chunks(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < 4096; i++) {
        raw_text(conn, "1000\r\n");
        raw_content(conn, 0, 4096);
        raw_text(conn, "\r\n");
    }
}

static void a_body_without_length_is_capped(void **state)
{
    raw_handler *const handlers[] = {endless_body, endless_chunks};
    for (size_t i = 0; i < 2; i++) {
        struct hostile h;
        start(&h, state, handlers[i]);
        assert_int_equal(get(&h, 1 << 20), -1);
        assert_int_equal(h.err.kind, ERR_VERIFY);
        assert_non_null(strstr(h.err.text, "more than the 1048576 bytes"));
        assert_true(rig_partial(h.rig) <= 1 << 20);
        assert_int_equal(stop(&h), 1);
    }
}

static void endless_header(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 100000; i++)
        raw_text(conn, "X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
}

static void endless_refusal(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
    raw_content(conn, 0, (size_t)64 << 20);
}

static void encoded(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, WHOLE_HEAD "Content-Encoding: gzip\r\n\r\n");
    raw_content(conn, 0, SIZE);
}

static void to_file(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
}

static void to_ftp(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, "HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/x\r\nContent-Length: 0\r\n\r\n");
}

static void what_no_server_may_do_is_refused(void **state)
{
    static const struct {
        raw_handler *handler;
        const char *says;
    } cases[] = {{endless_header, "endless header"},
                 {endless_refusal, "HTTP 404"},
                 {encoded, "content encoding"},
                 {to_file, "file:///etc/passwd, which is refused"},
                 {to_ftp, "redirects to a URL that is refused"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hostile h;
        start(&h, state, cases[i].handler);
        assert_int_equal(get(&h, 0), -1);
        assert_int_equal(h.err.kind, ERR_REMOTE);
        if (!strstr(h.err.text, cases[i].says))
            fail_msg("case %zu: %s", i, h.err.text);
        assert_int_equal(stop(&h), 1);
    }
}

static void not_http(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, "SSH-2.0-OpenSSH_9.2\r\n");
}

static void silent(int conn, unsigned nth, const char *request)
{
    (void)conn;
    (void)nth;
    (void)request;
}

static void no_answer_is_a_network_error(void **state)
{
    raw_handler *const handlers[] = {not_http, silent};
    for (size_t i = 0; i < 2; i++) {
        struct hostile h;
        start(&h, state, handlers[i]);
        assert_int_equal(get(&h, 0), -1);
        assert_int_equal(h.err.kind, ERR_NETWORK);
        stop(&h);
    }
}

static void loris(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, WHOLE_HEAD TAG "\r\n");
    for (size_t i = 0; i < 100; i++) {
        raw_content(conn, i, 1);
        usleep(100000);
    }
}

static void a_server_that_dribbles_is_cut_off(void **state)
{
    struct hostile h;
    struct err err = {0};
    start(&h, state, loris);
    fetcher_free(h.rig->fetcher);
    struct fetch_options options = {.retries = -1, .low_speed_s = 1};
    assert_int_equal(fetcher_new(&options, &h.rig->fetcher, &err), 0);
    long before = clock_now_ms();
    assert_int_equal(get(&h, 0), -1);
    assert_int_equal(h.err.kind, ERR_NETWORK);
    assert_true(clock_now_ms() - before < 5000);
    stop(&h);
}

static void later(int conn, unsigned nth, const char *request)
{
    (void)request;
    if (nth == 0)
        raw_text(conn, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
                       "Connection: close\r\n\r\n");
    else
        whole(conn);
}

static void retry_after_is_honoured(void **state)
{
    struct hostile h;
    start(&h, state, later);
    long before = clock_now_ms();
    assert_int_equal(get(&h, 0), 0);
    assert_true(clock_now_ms() - before >= 1000);
    assert_int_equal(stop(&h), 2);
}

/* Shared with the server's process, which is forked when it starts. */
static int status_first;

static void busy_first(int conn, unsigned nth, const char *request)
{
    char head[96];
    (void)request;
    snprintf(head, sizeof head, "HTTP/1.1 %d Wait\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
             status_first);
    nth < 2 ? raw_text(conn, head) : whole(conn);
}

static void a_server_that_is_busy_is_waited_for(void **state)
{
    static const int statuses[] = {408, 425, 429, 500, 502, 503, 504};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct hostile h;
        status_first = statuses[i];
        start(&h, state, busy_first);
        if (get(&h, 0) < 0)
            fail_msg("HTTP %d: %s", status_first, h.err.text);
        assert_int_equal(stop(&h), 3);
    }
}

static void not_before(int conn, unsigned nth, const char *request)
{
    char date[64], head[192];
    time_t at = time(NULL) + 3;
    struct tm tm;
    (void)request;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&at, &tm));
    snprintf(head, sizeof head,
             "HTTP/1.1 503 Wait\r\nRetry-After: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", date);
    nth == 0 ? raw_text(conn, head) : whole(conn);
}

static void retry_after_may_be_a_date(void **state)
{
    struct hostile h;
    start(&h, state, not_before);
    long before = clock_now_ms();
    assert_int_equal(get(&h, 0), 0);
    assert_true(clock_now_ms() - before >=
                1500); /* the rig's own wait is 60 ms at most; dates are whole seconds */
    assert_int_equal(stop(&h), 2);
}

static void hints_first(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, "HTTP/1.1 103 Early Hints\r\nETag: \"hint\"\r\nContent-Encoding: br\r\n\r\n");
    whole(conn);
}

static void interim_responses_do_not_count(void **state)
{
    struct hostile h;
    start(&h, state, hints_first);
    assert_int_equal(get(&h, 0), 0);
    rig_expect(&h.artifact, content, SIZE);
    stop(&h);
}

static void cut_text(int conn, unsigned nth, const char *request)
{
    (void)request;
    raw_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n");
    raw_text(conn, nth == 0 ? "VERS" : "VERSION=1");
}

static void a_cut_text_is_not_doubled(void **state)
{
    struct hostile h;
    cleanup_buf struct buf text = BUF_INIT(4096);
    start(&h, state, cut_text);
    assert_int_equal(fetch_text(h.rig->fetcher, h.url, 100, &text, &h.rig->run, &h.err), 0);
    assert_string_equal(text.data, "VERSION=1");
    assert_int_equal(stop(&h), 2);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, rig_up, rig_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(a_cut_body_is_gone_on_with),
        WITH_RIG(an_old_modification_date_is_a_strong_validator),
        WITH_RIG(without_a_strong_validator_it_starts_anew),
        WITH_RIG(a_part_that_does_not_fit_is_not_joined),
        WITH_RIG(a_part_nobody_asked_for_is_not_taken),
        WITH_RIG(parts_without_end_are_given_up),
        WITH_RIG(a_body_that_is_always_cut_is_a_network_error),
        WITH_RIG(a_body_without_length_is_capped),
        WITH_RIG(what_no_server_may_do_is_refused),
        WITH_RIG(no_answer_is_a_network_error),
        WITH_RIG(a_server_that_dribbles_is_cut_off),
        WITH_RIG(retry_after_is_honoured),
        WITH_RIG(a_server_that_is_busy_is_waited_for),
        WITH_RIG(retry_after_may_be_a_date),
        WITH_RIG(interim_responses_do_not_count),
        WITH_RIG(a_cut_text_is_not_doubled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
