#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "json/json.h"

static int parse(const char *text, size_t len, enum json_flags flags, struct json_doc **ret, struct err *err)
{
    return json_parse(text, len, "f", flags, ERR_RECIPE, ret, err);
}

struct bad {
    enum json_flags flags;
    const char *text;
    const char *message;
};

static const struct bad bad_texts[] = {
    {0, "", "f:1:1: expected a value, but the text ends here"},
    {0, "  \n ", "f:2:2: expected a value, but the text ends here"},
    {0, "{", "f:1:2: expected a key in double quotes, but the text ends here"},
    {0, "{} x", "f:1:4: text after the end of the value"},
    {0, "{}{}", "f:1:3: text after the end of the value"},
    {0, "[1,]", "f:1:4: expected a value, found ']'"},
    {0, "[,1]", "f:1:2: expected a value, found ','"},
    {1, "[,]", "f:1:2: expected a value, found ','"},
    {1, "[1,,]", "f:1:4: expected a value, found ','"},
    {0, "{\"a\":1,}", "f:1:8: expected a key in double quotes, found '}'"},
    {0, "{\"a\" 1}", "f:1:6: expected ':' after the key, found '1'"},
    {0, "{a:1}", "f:1:2: expected a key in double quotes, found 'a'"},
    {0, "{\"a\":1 \"b\":2}", "f:1:8: expected ',' or '}', found '\"'"},
    {0, "[1 2]", "f:1:4: expected ',' or ']', found '2'"},
    {0, "// c\n1", "f:1:1: expected a value, found '/': comments are not allowed in this file"},
    {1, "/* c\n1", "f:1:1: unterminated comment: \"*/\" is missing"},
    {1, "/*/ 1", "f:1:1: unterminated comment: \"*/\" is missing"},
    {1, "/", "f:1:1: expected a value, found '/'"},
    {0, "\"a", "f:1:1: unterminated string: '\"' is missing"},
    {0, "\"a\nb\"", "f:1:1: unterminated string: write a line break as \\n"},
    {0, "\"a\tb\"", "f:1:3: control character 0x09 in a string: write it as \\u0009"},
    {0, "\"\\x\"", "f:1:2: unknown escape in a string: write \\\\ for a backslash"},
    {0, "\"\\", "f:1:2: unknown escape in a string: write \\\\ for a backslash"},
    {0, "\"\\u00g0\"", "f:1:2: \\u needs four hex digits"},
    {0, "\"\\u12\"", "f:1:2: \\u needs four hex digits"},
    {0, "\"\\u0000\"", "f:1:2: \\u0000 is not allowed: strings cannot hold a NUL"},
    {0, "\"\\udc00\"", "f:1:2: \\u escape is the second half of a surrogate pair without the first"},
    {0, "\"\\ud800x\"", "f:1:2: \\u escape is the first half of a surrogate pair without the second"},
    {0, "\"\\ud800\\u0041\"", "f:1:2: \\u escape is the first half of a surrogate pair without the second"},
    {0, "\"\xff\"", "f:1:2: not UTF-8: save the file as UTF-8"},
    {0, "\"\xc0\xaf\"", "f:1:2: not UTF-8: save the file as UTF-8"},
    {0, "\"\xed\xa0\x80\"", "f:1:2: not UTF-8: save the file as UTF-8"},
    {0, "\"\xe2\x82", "f:1:2: not UTF-8: save the file as UTF-8"},
    {0, "01", "f:1:1: a number must not start with a zero"},
    {0, "-", "f:1:2: expected a digit, but the text ends here"},
    {0, "+1", "f:1:1: expected a value, found '+'"},
    {0, "1.", "f:1:3: expected a digit after the point, but the text ends here"},
    {0, "1e", "f:1:3: expected a digit of the exponent, but the text ends here"},
    {0, "0.1", "f:1:1: this number cannot be represented exactly: use an integer of at most 2^53"},
    {0, "9007199254740993",
     "f:1:1: this number cannot be represented exactly: use an integer of at most 2^53"},
    {0, "99999999999999999999999",
     "f:1:1: this number cannot be represented exactly: use an integer of at most 2^53"},
    {0, "1e999", "f:1:1: this number cannot be represented exactly: use an integer of at most 2^53"},
    {0, "1e-999999999999999999999",
     "f:1:1: this number cannot be represented exactly: use an integer of at most 2^53"},
    {0, "tru", "f:1:1: expected a value, found 't'"},
    {0, "truex", "f:1:5: text after the end of the value"},
    {0, "NaN", "f:1:1: expected a value, found 'N'"},
    {0, "{\"a\":1,\n \"b\":2,\n \"a\":3}", "f:3:2: duplicate key \"a\": first given on line 1"},
    {0, "[{\"x\":{\"k\":1,\"k\":2}}]", "f:1:14: duplicate key \"k\": first given on line 1"},
    {0, "{\"a\":1,\"\\u0061\":2}", "f:1:8: duplicate key \"a\": first given on line 1"},
};

static void bad_texts_say_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_texts / sizeof *bad_texts; i++) {
        struct json_doc *doc = NULL;
        struct err err = {0};
        const struct bad *b = &bad_texts[i];
        assert_int_equal(parse(b->text, strlen(b->text), b->flags, &doc, &err), -1);
        assert_null(doc);
        assert_string_equal(err.text, b->message);
        assert_int_equal(err.kind, ERR_RECIPE);
    }
}

static void a_nul_and_too_much_are_refused(void **state)
{
    (void)state;
    struct json_doc *doc = NULL;
    struct err err = {0};
    assert_int_equal(parse("[1,\0 2]", 7, 0, &doc, &err), -1);
    assert_string_equal(err.text, "f:1:4: a NUL byte: this is not a text file");
    static char big[JSON_TEXT_MAX + 1];
    memset(big, ' ', sizeof big);
    assert_int_equal(parse(big, sizeof big, 0, &doc, &err), -1);
    assert_string_equal(err.text, "f: larger than 16 MiB");
    memset(big, '[', 40);
    assert_int_equal(parse(big, 1000, 0, &doc, &err), -1);
    assert_string_equal(err.text, "f:1:33: nested deeper than 32 levels");
    big[0] = '[';
    for (size_t i = 0; i < 200002; i++)
        big[i + 1] = i % 2 ? ',' : '1';
    big[200002] = ']';
    assert_int_equal(parse(big, 200003, 0, &doc, &err), -1);
    assert_string_equal(err.text, "f:1:200000: more than 100000 values");
}

static void many_keys_are_checked_quickly(void **state)
{
    (void)state;
    cleanup_buf struct buf text = BUF_INIT(8 << 20);
    for (int i = 0; i < 90000; i++)
        buf_printf(&text, "%s\"k%d\":0", i ? "," : "{", i);
    buf_str(&text, ",\"k5\":1}");
    struct json_doc *doc = NULL;
    struct err err = {0};
    assert_int_equal(parse(text.data, text.len, 0, &doc, &err), -1);
    assert_non_null(strstr(err.text, "duplicate key \"k5\": first given on line 1"));
}

static void comments_keep_positions(void **state)
{
    (void)state;
    static const char text[] =
        "// first\n{ /* a\n b */ \"x\": [1, // one\n  \"//no\", /**/ ], \"y\": \"/*no*/\",}\n";
    cleanup_json struct json_doc *doc = NULL;
    struct err err = {0};
    assert_int_equal(parse(text, sizeof text - 1, JSON_COMMENTS, &doc, &err), 0);
    const cJSON *x = cJSON_GetObjectItemCaseSensitive(json_root(doc), "x");
    const cJSON *y = cJSON_GetObjectItemCaseSensitive(json_root(doc), "y");
    assert_int_equal(cJSON_GetArraySize(x), 2);
    assert_string_equal(cJSON_GetArrayItem(x, 1)->valuestring, "//no");
    assert_string_equal(y->valuestring, "/*no*/");
    unsigned line, column;
    json_where(doc, json_root(doc), &line, &column);
    assert_int_equal(line, 2);
    assert_int_equal(column, 1);
    json_where(doc, cJSON_GetArrayItem(x, 1), &line, &column);
    assert_int_equal(line, 4);
    assert_int_equal(column, 3);
    json_where(doc, y, &line, &column);
    assert_int_equal(line, 4);
    assert_int_equal(column, 24);
    cJSON other = {0};
    json_where(doc, &other, &line, &column);
    assert_int_equal(line + column, 0);
}

/* Editors put a byte order mark before UTF-8, or save UTF-16. */
static void other_encodings(void **state)
{
    (void)state;
    static const char marked[] = "\xef\xbb\xbf{\"a\":\r\n1}", bad[] = "\xef\xbb\xbf[x]";
    cleanup_json struct json_doc *doc = NULL;
    struct err err = {0};
    assert_int_equal(parse(marked, sizeof marked - 1, 0, &doc, &err), 0);
    unsigned line, column;
    json_where(doc, cJSON_GetObjectItemCaseSensitive(json_root(doc), "a"), &line, &column);
    assert_int_equal(line, 2);
    struct json_doc *none = NULL;
    assert_int_equal(parse(bad, sizeof bad - 1, 0, &none, &err), -1);
    assert_non_null(strstr(err.text, "f:1:2: expected a value"));
    static const char *const wide[] = {"\xff\xfe{\0}\0", "\xfe\xff\0{\0}", "{\0}\0 \0", "\0{\0}\0 "};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        assert_int_equal(parse(wide[i], 6, 0, &none, &err), -1);
        assert_string_equal(err.text, "f: this is UTF-16: save the file as UTF-8");
    }
}

static void exact_numbers_pass(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"0", 0},        {"-0", 0},          {"9007199254740992", 9007199254740992.0},
        {"-5", -5},      {"0.5", 0.5},       {"1.250", 1.25},
        {"1e3", 1000},   {"12.5e1", 125},    {"1000e-3", 1},
        {"0.0000", 0.0}, {"0e999999999", 0}, {"100000000000000000000000e-20", 1000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_json struct json_doc *doc = NULL;
        struct err err = {0};
        assert_int_equal(parse(cases[i].text, strlen(cases[i].text), 0, &doc, &err), 0);
        assert_true(json_root(doc)->valuedouble == cases[i].value);
    }
}

static void members_are_typed(void **state)
{
    (void)state;
    static const char text[] = "{\"s\":\"t\",\"b\":true,\"n\":7,\"o\":{},\"a\":[],\"neg\":-1,\"half\":0.5}";
    cleanup_json struct json_doc *doc = NULL;
    struct err err = {0};
    assert_int_equal(parse(text, sizeof text - 1, 0, &doc, &err), 0);
    const cJSON *root = json_root(doc), *node = NULL;
    const char *s = NULL;
    bool b = false;
    uint64_t n = 1;
    assert_int_equal(json_get_string(doc, root, "s", true, &s, &err), 0);
    assert_string_equal(s, "t");
    assert_int_equal(json_get_string(doc, root, "none", false, &s, &err), 0);
    assert_null(s);
    assert_int_equal(json_get_string(doc, root, "none", true, &s, &err), -1);
    assert_string_equal(err.text, "f:1:1: \"none\" is missing here");
    assert_int_equal(json_get_string(doc, root, "n", true, &s, &err), -1);
    assert_string_equal(err.text, "f:1:23: \"n\" must be a string, not a number");
    assert_int_equal(json_get_bool(doc, root, "b", false, &b, &err), 0);
    assert_true(b);
    assert_int_equal(json_get_bool(doc, root, "none", true, &b, &err), 0);
    assert_true(b);
    assert_int_equal(json_get_bool(doc, root, "s", true, &b, &err), -1);
    assert_int_equal(json_get_uint(doc, root, "n", true, 0, 7, &n, &err), 0);
    assert_int_equal(n, 7);
    n = 3;
    assert_int_equal(json_get_uint(doc, root, "none", false, 0, 7, &n, &err), 0);
    assert_int_equal(n, 3);
    assert_int_equal(json_get_uint(doc, root, "n", true, 8, 9, &n, &err), -1);
    assert_string_equal(err.text, "f:1:23: \"n\" must be an integer from 8 to 9");
    assert_int_equal(json_get_uint(doc, root, "neg", true, 0, 9, &n, &err), -1);
    assert_int_equal(json_get_uint(doc, root, "half", true, 0, 9, &n, &err), -1);
    assert_int_equal(n, 3);
    assert_int_equal(json_get_object(doc, root, "o", true, &node, &err), 0);
    assert_non_null(node);
    assert_int_equal(json_get_object(doc, root, "a", true, &node, &err), -1);
    assert_int_equal(json_get_array(doc, root, "a", true, &node, &err), 0);
    assert_int_equal(json_get_array(doc, root, "o", true, &node, &err), -1);
    assert_string_equal(err.text, "f:1:29: \"o\" must be an array, not an object");
}

static void unknown_keys_get_a_hint(void **state)
{
    (void)state;
    static const char text[] = "{\"name\":1,\n  \"chanel\":2}";
    static const char *const known[] = {"name", "channel", NULL}, *const other[] = {"name", "zebra", NULL};
    cleanup_json struct json_doc *doc = NULL;
    struct err err = {0};
    assert_int_equal(parse(text, sizeof text - 1, 0, &doc, &err), 0);
    assert_int_equal(json_only(doc, json_root(doc), known, &err), -1);
    assert_string_equal(err.text, "f:2:3: unknown key \"chanel\"; did you mean \"channel\"?");
    assert_int_equal(json_only(doc, json_root(doc), other, &err), -1);
    assert_string_equal(err.text, "f:2:3: unknown key \"chanel\"; known here: name, zebra");
}

static void nearest_word(void **state)
{
    (void)state;
    static const char *const words[] = {"sha256", "sha512", "url", "signature", NULL};
    assert_string_equal(json_nearest("sha265", words), "sha256");
    assert_string_equal(json_nearest("signatur", words), "signature");
    assert_string_equal(json_nearest("ulr", words), "url");
    assert_null(json_nearest("zzz", words));
    assert_null(json_nearest("", words));
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_null(json_nearest(longer, words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_texts_say_where),
        cmocka_unit_test(a_nul_and_too_much_are_refused),
        cmocka_unit_test(many_keys_are_checked_quickly),
        cmocka_unit_test(comments_keep_positions),
        cmocka_unit_test(other_encodings),
        cmocka_unit_test(exact_numbers_pass),
        cmocka_unit_test(members_are_typed),
        cmocka_unit_test(unknown_keys_get_a_hint),
        cmocka_unit_test(nearest_word),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
