#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json/json.h"
#include "json/write.h"

static void write_all(struct json_writer *json)
{
    static const char *const words[] = {"a", "b"};
    json_open(json, NULL, '{');
    json_string(json, "text", "\"\\\b\f\n\r\t\x01/\x7f\xc3\xa9");
    json_string_if(json, "none", NULL);
    json_string_if(json, "none", "");
    json_uint(json, "large", 9007199254740991);
    json_bool(json, "yes", true);
    json_bool(json, "no", false);
    json_null(json, "null");
    json_seconds(json, "seconds", 12034);
    json_strings(json, "words", words, 2);
    json_strings(json, "empty", words, 0);
    json_raw(json, "raw", "{\"x\":[]}");
    json_hex(json, "hex", "\x00\xff", 2);
    json_base64(json, "base64", "\x00\xff", 2);
    json_close(json, '}');
}

static void all_kinds_of_values(void **state)
{
    (void)state;
    cleanup_buf struct buf text = BUF_INIT(4096);
    struct json_writer json = {.buf = &text};
    struct err err = {0};
    write_all(&json);
    assert_int_equal(json_write_end(&json, "it", &err), 0);
    assert_string_equal(
        text.data, "{\"text\":\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001/\x7f\xc3\xa9\",\"large\":9007199254740991,"
                   "\"yes\":true,\"no\":false,\"null\":null,\"seconds\":12.034,\"words\":[\"a\",\"b\"],"
                   "\"empty\":[],\"raw\":{\"x\":[]},\"hex\":\"00ff\",\"base64\":\"AP8=\"}");
}

/* A parsed value is written unchanged, so that part of one document can be copied into another. */
static void a_node_is_written_as_it_was_read(void **state)
{
    (void)state;
    static const char given[] = "{\"a\":[1,-2.5,true,null,\"\\n\xe2\x82\xac\"],\"b\":{}}";
    cleanup_json struct json_doc *doc = NULL;
    cleanup_buf struct buf text = BUF_INIT(4096);
    struct json_writer json = {.buf = &text};
    struct err err = {0};
    assert_int_equal(json_parse(given, strlen(given), "f", JSON_STRICT, ERR_RECIPE, &doc, &err), 0);
    json_node(&json, NULL, json_root(doc));
    assert_int_equal(json_write_end(&json, "it", &err), 0);
    assert_string_equal(text.data, given);
}

/* Wherever the text stops fitting, json_write_end() reports it. */
static void whatever_does_not_fit_is_an_error(void **state)
{
    (void)state;
    cleanup_buf struct buf whole = BUF_INIT(4096);
    struct json_writer json = {.buf = &whole};
    struct err err = {0};
    write_all(&json);
    for (size_t cap = 0; cap <= whole.len; cap++) {
        cleanup_buf struct buf text = BUF_INIT(cap);
        struct json_writer some = {.buf = &text};
        write_all(&some);
        assert_int_equal(json_write_end(&some, "it", &err), cap == whole.len ? 0 : -1);
    }
}

static void what_json_cannot_hold_is_an_error(void **state)
{
    (void)state;
    static const char *const texts[] = {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\xaf"};
    struct err err = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cleanup_buf struct buf text = BUF_INIT(100);
        struct json_writer json = {.buf = &text};
        json_string(&json, NULL, texts[i]);
        assert_int_equal(json_write_end(&json, "it", &err), -1);
        assert_string_equal(err.text, "it cannot be written: it contains a text that is not UTF-8");
    }
    cleanup_buf struct buf text = BUF_INIT(100);
    struct json_writer json = {.buf = &text};
    json_uint(&json, NULL, 9007199254740992);
    assert_int_equal(json_write_end(&json, "it", &err), -1);
    assert_string_equal(err.text, "it cannot be written: it contains a number over 2^53");
}

static void people_get_a_mark_in_place_of_bad_bytes(void **state)
{
    (void)state;
    cleanup_buf struct buf text = BUF_INIT(100);
    struct json_writer json = {.buf = &text, .lossy = true};
    struct err err = {0};
    json_string(&json, NULL,
                "\xff"
                "a\xc3\"\xed\xa0\x80\xe2\x82\xac");
    assert_int_equal(json_write_end(&json, "it", &err), 0);
    assert_string_equal(text.data, "\"\xef\xbf\xbd"
                                   "a\xef\xbf\xbd\\\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xe2\x82\xac\"");
}

static void *refuse(size_t size)
{
    (void)size;
    return NULL;
}

static void a_node_without_memory_is_an_error(void **state)
{
    (void)state;
    static const char given[] = "{\"a\":1}";
    cleanup_json struct json_doc *doc = NULL;
    cleanup_buf struct buf text = BUF_INIT(100);
    struct json_writer json = {.buf = &text};
    struct err err = {0};
    assert_int_equal(json_parse(given, strlen(given), "f", JSON_STRICT, ERR_RECIPE, &doc, &err), 0);
    cJSON_Hooks none = {refuse, free};
    cJSON_InitHooks(&none);
    json_node(&json, NULL, json_root(doc));
    cJSON_InitHooks(NULL);
    assert_int_equal(json_write_end(&json, "it", &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds_of_values),
        cmocka_unit_test(a_node_is_written_as_it_was_read),
        cmocka_unit_test(whatever_does_not_fit_is_an_error),
        cmocka_unit_test(what_json_cannot_hold_is_an_error),
        cmocka_unit_test(people_get_a_mark_in_place_of_bad_bytes),
        cmocka_unit_test(a_node_without_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
