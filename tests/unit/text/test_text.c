#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text/base64.h"
#include "text/bytes.h"
#include "text/hex.h"
#include "text/path.h"
#include "text/utf8.h"

static void utf8_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len, first, valid;
    } cases[] = {
        {"", 0, 0, 0},
        {"a", 1, 1, 1},
        {"\0", 1, 1, 0},
        {"\xc3\xa4x", 3, 2, 3},
        {"\xe2\x82\xac", 3, 3, 3},
        {"\xf0\x9f\x98\x80", 4, 4, 4},
        {"\xf4\x8f\xbf\xbf", 4, 4, 4},
        {"\xc3", 1, 0, 0},             /* cut short */
        {"\x80", 1, 0, 0},             /* a continuation byte */
        {"\xc0\x80", 2, 0, 0},         /* overlong */
        {"\xc1\xbf", 2, 0, 0},         /* overlong */
        {"\xe0\x9f\xbf", 3, 0, 0},     /* overlong */
        {"\xf0\x8f\xbf\xbf", 4, 0, 0}, /* overlong */
        {"\xed\xa0\x80", 3, 0, 0},     /* a surrogate */
        {"\xf4\x90\x80\x80", 4, 0, 0}, /* over U+10FFFF */
        {"\xf5\x80\x80\x80", 4, 0, 0}, /* over U+10FFFF */
        {"a\xff"
         "b",
         3, 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(utf8_char(cases[i].text, cases[i].len), cases[i].first);
        assert_int_equal(utf8_valid(cases[i].text, cases[i].len), cases[i].valid);
        assert_int_equal(utf8_ok(cases[i].text, cases[i].len), cases[i].valid == cases[i].len);
    }
}

static void control_characters(void **state)
{
    (void)state;
    assert_true(utf8_is_control("\n", 1));
    assert_true(utf8_is_control("\x7f", 1));
    assert_true(utf8_is_control("\xc2\x9b", 2));
    assert_false(utf8_is_control("\xc2\xa0", 2));
    assert_false(utf8_is_control(" ", 1));
}

static void hex_digits(void **state)
{
    (void)state;
    uint8_t bytes[3] = {0x00, 0x9f, 0xff}, back[3];
    char text[7];
    hex_encode(bytes, sizeof bytes, text);
    assert_string_equal(text, "009fff");
    assert_true(hex_decode("009FfF", back, sizeof back));
    assert_memory_equal(back, bytes, sizeof bytes);
    assert_false(hex_decode("009ff", back, sizeof back));
    assert_false(hex_decode("009fff0", back, sizeof back));
    assert_false(hex_decode("009ffg", back, sizeof back));
    assert_true(hex_read("009fffxyz", back, sizeof back));
    assert_true(hex_is_lower("09af", 4));
    assert_false(hex_is_lower("09aF", 4));
    assert_false(hex_is_lower("09a ", 4));
}

static void base64_is_strict(void **state)
{
    (void)state;
    char out[8];
    size_t size = 0;
    assert_true(base64_decode("Zm9vYg==", 8, out, sizeof out, &size));
    assert_int_equal(size, 4);
    assert_memory_equal(out, "foob", 4);
    assert_true(base64_decode("", 0, out, sizeof out, &size));
    assert_int_equal(size, 0);
    static const char *const bad[] = {
        "Zm9vYg=", "Zm9vYg", "Zm9vYh==", "Zm9v Yg==", "Zm9vYg==x", "Zm9v\xb2g==", "Zm-_"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(base64_decode(bad[i], strlen(bad[i]), out, sizeof out, &size));
    assert_true(base64_read("Zm9vYg==", 8, out, 4));
    assert_false(base64_read("Zm9vYg==", 8, out, 3));
    assert_false(base64_read("Zm9vYg==", 8, out, 5));
}

static void base64_alphabets(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {0xfb, 0xff, 0xfe, 0x00};
    cleanup_buf struct buf text = BUF_INIT(100);
    base64_add(&text, bytes, sizeof bytes);
    buf_str(&text, " ");
    base64_add_url(&text, bytes, sizeof bytes);
    assert_string_equal(text.data, "+//+AA== -__-AA");
}

static void byte_order(void **state)
{
    (void)state;
    unsigned char bytes[8];
    le64_write(bytes, UINT64_C(0x0102030405060708));
    assert_memory_equal(bytes, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    assert_true(le64_read(bytes) == UINT64_C(0x0102030405060708));
    assert_int_equal(le32_read(bytes), 0x05060708);
    be32_write(bytes, 0xf1020304);
    assert_memory_equal(bytes, "\xf1\x02\x03\x04", 4);
    assert_true(be32_read(bytes) == 0xf1020304);
    assert_int_equal(be16_read(bytes), 0xf102);
}

static void normal_paths(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"/", "/"},
        {"//", "/"},
        {"/a", "/a"},
        {"/a//b/", "/a/b"},
        {"/a/./b", "/a/b"},
        {"/..a/b", "/..a/b"},
        {"a", NULL},
        {"", NULL},
        {"/a/../b", NULL},
        {"/..", NULL},
        {"/a\nb", NULL},
        {"/a\x7f", NULL},
        {"/\xff", NULL},
        {"/\xc3\xa9", "/\xc3\xa9"},
        {"/\xed\xa0\x80", NULL},
        {"/\xc0\xaf", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        char out[PATH_CAP];
        int r = path_normalize(cases[i].in, out, &err);
        assert_int_equal(r, cases[i].out ? 0 : -1);
        if (cases[i].out)
            assert_string_equal(out, cases[i].out);
    }
    assert_true(path_under("/a/b", "/a"));
    assert_true(path_under("/a", "/a"));
    assert_true(path_under("/a", "/"));
    assert_false(path_under("/ab", "/a"));
    char parent[PATH_CAP];
    path_parent("/a/b", parent);
    assert_string_equal(parent, "/a");
    path_parent("/a", parent);
    assert_string_equal(parent, "/");
    assert_string_equal(path_base("/a/b"), "b");
    assert_true(path_name_ok("a.b"));
    assert_false(path_name_ok(".."));
    assert_false(path_name_ok("a/b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_strict),   cmocka_unit_test(control_characters),
        cmocka_unit_test(hex_digits),       cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(base64_alphabets), cmocka_unit_test(byte_order),
        cmocka_unit_test(normal_paths),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
