/* What fetch and the cache parse: response headers, notes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fetch/head.h"
#include "io/note.h"

static void feed(struct fetch_head *head, const char *text)
{
    for (const char *at = text; *at;) {
        const char *end = strchr(at, '\n');
        size_t len = end ? (size_t)(end - at) + 1 : strlen(at);
        assert_true(fetch_head_line(head, at, len));
        at += len;
    }
}

static void headers_are_read(void **state)
{
    (void)state;
    struct fetch_head head = {0};
    feed(&head, "HTTP/1.1 100 Continue\r\nETag: \"interim\"\r\n\r\n"
                "HTTP/2 206 \r\neTaG:\t\"a b\"  \r\nLast-Modified: then\r\ncontent-encoding:  br\r\n"
                "Content-Range: bytes 5-9/10\r\nX: y\r\n\r\n");
    assert_int_equal(head.status, 206);
    assert_true(head.ended);
    assert_string_equal(head.etag, "\"a b\"");
    assert_string_equal(head.modified, "then");
    assert_string_equal(head.encoding, "br");
    assert_true(head.range_given && head.range_first == 5 && head.range_last == 9 && head.range_total == 10);
}

static void malformed_headers_count_as_not_given(void **state)
{
    (void)state;
    static const char *const ranges[] = {"bytes 9-5/10",
                                         "bytes 5-10/10",
                                         "bytes 5-/10",
                                         "bytes -5/10",
                                         "bytes 5-9",
                                         "bytes 5-9/",
                                         "items 5-9/10",
                                         "bytes 5-9/10x",
                                         "bytes 5-9/-10",
                                         "5-9/10",
                                         "",
                                         "bytes */10",
                                         "bytes 5-18446744073709551616/*"};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        struct fetch_head head = {0};
        char line[128];
        feed(&head, "HTTP/1.1 206 x\r\n");
        snprintf(line, sizeof line, "Content-Range: %s\r\n", ranges[i]);
        feed(&head, line);
        if (head.range_given)
            fail_msg("\"%s\" was taken", ranges[i]);
    }
    static const char *const tags[] = {"v1", "\"", "\"a\"b\"", "W/v1", "\"a\x01\"", "w/\"v1\""};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        struct fetch_head head = {0};
        char line[128];
        snprintf(line, sizeof line, "ETag: %s\r\n", tags[i]);
        feed(&head, line);
        assert_string_equal(head.etag, "");
    }
    struct fetch_head head = {0};
    char tag[600];
    memset(tag, 'a', sizeof tag);
    memcpy(tag, "ETag: \"", 7);
    memcpy(tag + sizeof tag - 3, "\"\r\n", 3);
    assert_true(fetch_head_line(&head, tag, sizeof tag));
    assert_string_equal(head.etag, "");
    feed(&head, "Content-Range: bytes 5-9/*\r\n");
    assert_true(head.range_given && head.range_total == 0);
    feed(&head, "Content-Encoding: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
    assert_string_equal(head.encoding, "unknown");
}

static void notes_are_read_as_written_or_not_at_all(void **state)
{
    (void)state;
    char a[8], b[4];
    const struct note_field fields[] = {{"a", a, sizeof a}, {"b", b, sizeof b}};
    snprintf(a, sizeof a, "x y");
    snprintf(b, sizeof b, "%s", "");
    cleanup_buf struct buf text = BUF_INIT(100);
    note_format(&text, "magic 1", fields, 2);
    assert_string_equal(text.data, "magic 1\na x y\nb \n");
    a[0] = '\0';
    assert_true(note_parse(text.data, text.len, "magic 1", fields, 2));
    assert_string_equal(a, "x y");
    static const char *const bad[] = {"",
                                      "magic 1\n",
                                      "magic 2\na 1\nb 2\n",
                                      "magic 1\na 1\n",
                                      "magic 1\nb 1\na 2\n",
                                      "magic 1\na 1\nb 2\n\n",
                                      "magic 1\na 1\nb 2",
                                      "magic 1\na 12345678\nb 2\n",
                                      "magic 1\na 1\nb 234\n0",
                                      "magic 1\na \x01\nb 2\n",
                                      "magic 1\na1\nb 2\n",
                                      "magic 1\r\na 1\nb 2\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memcpy(a, "kept", 5);
        if (note_parse(bad[i], strlen(bad[i]), "magic 1", fields, 2))
            fail_msg("case %zu was taken", i);
        assert_string_equal(a, "kept");
    }
    uint64_t n = 7;
    assert_true(note_uint("18446744073709551615", &n) && n == UINT64_MAX);
    static const char *const numbers[] = {"", "-1", "+1", " 1", "01", "1x", "18446744073709551616"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_false(note_uint(numbers[i], &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_read),
        cmocka_unit_test(malformed_headers_count_as_not_given),
        cmocka_unit_test(notes_are_read_as_written_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
