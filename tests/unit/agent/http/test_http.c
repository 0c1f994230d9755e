/* The HTTP client against servers that misbehave in every way one can. */
#include "tests/unit/agent/helper.h"

#include "agent/http/http.h"
#include "base/clock.h"
#include "agent/http/head.h"
#include "tests/support/lib/rawserver.h"

#define OK "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\n"

static struct err last;

static int ask(raw_handler *handler, unsigned timeout_ms, int *status, struct buf *body)
{
    struct rawserver server;
    assert_int_equal(rawserver_start(&server, handler), 0);
    struct wire_peer peer = {"127.0.0.1", (uint16_t)server.port};
    struct agent_http_request request = {&peer, "/computeMetadata/v1/x?a=b", true, timeout_ms};
    int result = agent_http_get(&request, status, body, &last);
    if (server.log->count > 0) {
        assert_non_null(strstr(server.log->requests[0], "GET /computeMetadata/v1/x?a=b HTTP/1.1\r\n"));
        assert_non_null(strstr(server.log->requests[0], "\r\nMetadata-Flavor: Google\r\n"));
    }
    rawserver_stop(&server);
    return result;
}

static void expect(raw_handler *handler, const char *want)
{
    int status = 0;
    cleanup_buf struct buf body = BUF_INIT(AGENT_HTTP_BODY_MAX);
    if (ask(handler, 5000, &status, &body) < 0)
        fail_msg("%s", last.text);
    assert_int_equal(status, 200);
    assert_int_equal(body.len, strlen(want));
    assert_string_equal(body.data ? body.data : "", want);
}

static void refuse(raw_handler *handler, const char *part)
{
    int status = -7;
    cleanup_buf struct buf body = BUF_INIT(AGENT_HTTP_BODY_MAX);
    assert_int_equal(ask(handler, 700, &status, &body), -1);
    assert_says(last, part);
    assert_int_equal(status, -7);
    assert_int_equal(body.len, 0);
}

#define SERVE(name, text)                                                                                    \
    static void name(int conn, unsigned nth, const char *request)                                            \
    {                                                                                                        \
        (void)nth;                                                                                           \
        (void)request;                                                                                       \
        raw_text(conn, text);                                                                                \
    }

SERVE(with_length, OK "Content-Length: 5\r\n\r\nhello")
SERVE(with_more_than_its_length, OK "Content-Length: 5\r\n\r\nhello, and more")
SERVE(until_close, OK "\r\nhello")
SERVE(in_chunks, OK "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: z\r\n\r\n")
SERVE(odd_case, "HTTP/1.0 200 \r\nmetadata-flavor:   Google  \r\nCONTENT-LENGTH:5\r\n\r\nhello")
SERVE(empty, OK "Content-Length: 0\r\n\r\n")

static void good_answers(void **state)
{
    (void)state;
    expect(with_length, "hello");
    expect(with_more_than_its_length, "hello");
    expect(until_close, "hello");
    expect(in_chunks, "hello");
    expect(odd_case, "hello");
    expect(empty, "");
}

SERVE(says_nothing, "")
SERVE(no_header, "hello\r\n\r\n")
SERVE(ends_in_header, OK "Content-Le")
SERVE(no_flavor, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
SERVE(wrong_flavor, "HTTP/1.1 200 OK\r\nMetadata-Flavor: Goggle\r\nContent-Length: 5\r\n\r\nhello")
SERVE(short_body, OK "Content-Length: 50\r\n\r\nhello")
SERVE(too_long, OK "Content-Length: 1048577\r\n\r\nhello")
SERVE(huge_length, OK "Content-Length: 99999999999999999999999\r\n\r\nhello")
SERVE(negative_length, OK "Content-Length: -1\r\n\r\nhello")
SERVE(two_lengths, OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")
SERVE(length_and_chunks, OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
SERVE(gzip_coding, OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")
SERVE(gzip_content, OK "Content-Encoding: gzip\r\n\r\nhello")
SERVE(folded, OK " more\r\n\r\nhello")
SERVE(blank_before_colon, OK "Content-Length : 5\r\n\r\nhello")
SERVE(provisional, "HTTP/1.1 100 Continue\r\n\r\n" OK "\r\nhello")
SERVE(bad_chunk_size, OK "Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n")
SERVE(huge_chunk, OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\nhello\r\n0\r\n\r\n")
SERVE(overflowing_chunk, OK "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n")
SERVE(lying_chunk, OK "Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n")
SERVE(cut_chunks, OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

static void bad_answers(void **state)
{
    (void)state;
    refuse(says_nothing, "closed before the end of the header");
    refuse(no_header, "not HTTP");
    refuse(ends_in_header, "closed before the end of the header");
    refuse(no_flavor, "Metadata-Flavor");
    refuse(wrong_flavor, "Metadata-Flavor");
    refuse(short_body, "45 bytes early");
    refuse(too_long, "over 1048576 bytes");
    refuse(huge_length, "Content-Length");
    refuse(negative_length, "Content-Length");
    refuse(two_lengths, "Content-Length");
    refuse(length_and_chunks, "two ways");
    refuse(gzip_coding, "transfer coding");
    refuse(gzip_content, "compressed");
    refuse(folded, "header is malformed");
    refuse(blank_before_colon, "header is malformed");
    refuse(provisional, "provisional");
    refuse(bad_chunk_size, "not a number");
    refuse(huge_chunk, "over 1048576 bytes");
    refuse(overflowing_chunk, "not a number");
    refuse(lying_chunk, "longer than it says");
    refuse(cut_chunks, "inside its chunks");
}

static void endless_header(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, OK);
    for (unsigned i = 0; i < 2000; i++)
        raw_text(conn, "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
}

static void endless_body(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, OK "\r\n");
    raw_content(conn, 0, 2 << 20);
}

static void endless_chunks(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, OK "Transfer-Encoding: chunked\r\n\r\n");
    for (unsigned i = 0; i < 1100; i++) {
        raw_text(conn, "400\r\n");
        raw_content(conn, 0, 0x400);
        raw_text(conn, "\r\n");
    }
}

static void endless_trailers(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, OK "Transfer-Encoding: chunked\r\n\r\n0\r\n");
    for (unsigned i = 0; i < 100; i++)
        raw_text(conn, "X-Trailer: a\r\n");
    raw_text(conn, "\r\n");
}

static void sizes_are_capped(void **state)
{
    (void)state;
    refuse(endless_header, "header is over 16384 bytes");
    refuse(endless_body, "over 1048576 bytes");
    refuse(endless_chunks, "over 1048576 bytes");
    refuse(endless_trailers, "too many trailers");
}

static void silent(int conn, unsigned nth, const char *request)
{
    (void)conn;
    (void)nth;
    (void)request;
    sleep(30);
}

/* A byte every 100 ms is progress, but not enough of it. */
static void dripping(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, OK "Content-Length: 500\r\n\r\n");
    for (unsigned i = 0; i < 500; i++) {
        raw_text(conn, "x");
        usleep(100000);
    }
}

static void slowness_ends_in_time(void **state)
{
    (void)state;
    int64_t start = clock_now_ms();
    refuse(silent, "too slow");
    refuse(dripping, "too slow");
    assert_in_range(clock_now_ms() - start, 1300, 4000);
}

static void a_refused_connection_is_told(void **state)
{
    (void)state;
    struct wire_peer peer = {"127.0.0.1", 1};
    struct agent_http_request request = {&peer, "/", false, 1000};
    int status = 0;
    cleanup_buf struct buf body = BUF_INIT(10);
    assert_int_equal(agent_http_get(&request, &status, &body, &last), -1);
    assert_int_equal(last.kind, ERR_NETWORK);
    assert_says(last, "http://127.0.0.1:1/: connect: Connection refused");
}

SERVE(not_found, "HTTP/1.1 404 Not Found\r\nMetadata-Flavor: Google\r\nContent-Length: 4\r\n\r\nnope")

static void other_statuses_have_no_body(void **state)
{
    (void)state;
    int status = 0;
    cleanup_buf struct buf body = BUF_INIT(AGENT_HTTP_BODY_MAX);
    assert_int_equal(ask(not_found, 5000, &status, &body), 0);
    assert_int_equal(status, 404);
    assert_int_equal(body.len, 0);
}

static void what_cannot_be_sent_or_read_is_refused(void **state)
{
    (void)state;
    static const char with_nul[] = OK "X: a\0b\r\n\r\n";
    struct wire_peer peer = {"127.0.0.1", 1};
    struct agent_http_head head;
    assert_int_equal(agent_http_head_parse(with_nul, sizeof with_nul - 1, &head, &last), -1);
    assert_says(last, "holds a NUL");
    struct rawserver server;
    assert_int_equal(rawserver_start(&server, with_length), 0);
    peer.port = (uint16_t)server.port;
    static const char *const paths[] = {"/a b", "/a\r\nHost: b", "/a\tb"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct agent_http_request request = {&peer, paths[i], false, 1000};
        int status = 0;
        cleanup_buf struct buf body = BUF_INIT(10);
        assert_int_equal(agent_http_get(&request, &status, &body, &last), -1);
        assert_says(last, "cannot be asked for");
    }
    rawserver_stop(&server);
}

static void addresses(void **state)
{
    (void)state;
    struct wire_peer peer = {0};
    assert_int_equal(wire_peer_parse("169.254.169.254", &peer, &last), 0);
    assert_string_equal(peer.host, "169.254.169.254");
    assert_int_equal(peer.port, 80);
    assert_int_equal(wire_peer_parse("127.0.0.1:65535", &peer, &last), 0);
    assert_int_equal(peer.port, 65535);
    static const char *const bad[] = {"",          "metadata",      "1.2.3",       "1.2.3.4:",
                                      "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:80x", "1.2.3.4:-80",
                                      "1.2.3.4 ",  "[::1]:80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(wire_peer_parse(bad[i], &peer, &last), -1);
    assert_int_equal(peer.port, 65535);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_answers),
        cmocka_unit_test(bad_answers),
        cmocka_unit_test(sizes_are_capped),
        cmocka_unit_test(slowness_ends_in_time),
        cmocka_unit_test(what_cannot_be_sent_or_read_is_refused),
        cmocka_unit_test(addresses),
        cmocka_unit_test(a_refused_connection_is_told),
        cmocka_unit_test(other_statuses_have_no_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
