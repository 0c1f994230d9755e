/* Matrices: the order of cells, unique tags, what is refused and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "json/json.h"
#include "io/file.h"
#include "recipe/matrix.h"

static int parse(const char *text, struct matrix *ret, struct err *err)
{
    *err = (struct err){0};
    return matrix_parse(text, strlen(text), "m.json", "there", ret, err);
}

static void cells_have_their_order(void **state)
{
    (void)state;
    struct err err;
    cleanup_matrix struct matrix matrix = {0};
    assert_int_equal(
        parse("{ \"recipe\": \"bake.json\", // with a comment\n"
              "  \"vars\": { \"channel\": [\"stable\", \"beta\"], \"k\": [\"1.20\", \"1.21\"] },\n"
              "  \"targets\": [{\"project\": \"p\", \"bucket\": \"b\"}, {\"bucket\": \"c\", \"prefix\": "
              "\"x/\"}],\n"
              "  \"exclude\": [{\"channel\": \"beta\", \"k\": \"1.21\"}] }",
              &matrix, &err),
        0);
    static const char *const names[] = {"stable_1.20 to p", "stable_1.20 to c", "stable_1.21 to p",
                                        "stable_1.21 to c", "beta_1.20 to p",   "beta_1.20 to c"};
    assert_string_equal(matrix.recipe, "there/bake.json");
    assert_int_equal(matrix.axis_count, 2);
    assert_int_equal(matrix.combination_count, 3);
    assert_int_equal(matrix.cell_count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(matrix.cells[i].name, names[i]);
    const struct matrix_cell *last = &matrix.cells[5];
    assert_string_equal(last->tag, "beta_1.20");
    assert_string_equal(last->vars[0].name, "channel");
    assert_string_equal(last->vars[0].value, "beta");
    assert_string_equal(last->vars[1].value, "1.20");
    assert_string_equal(last->target->bucket, "c");
    assert_string_equal(last->target->prefix, "x/");
    assert_null(last->target->project);
}

static void nothing_to_vary_is_one_cell(void **state)
{
    (void)state;
    struct err err;
    cleanup_matrix struct matrix matrix = {0};
    assert_int_equal(parse("{\"recipe\": \"/r.json\"}", &matrix, &err), 0);
    assert_int_equal(matrix.cell_count, 1);
    assert_string_equal(matrix.recipe, "/r.json");
    assert_string_equal(matrix.cells[0].tag, "all");
    assert_string_equal(matrix.cells[0].name, "all");
}

/* Tags are unique even for values that give the same file name; they never leave the folder or grow long. */
static void tags_differ(void **state)
{
    (void)state;
    struct err err;
    cleanup_matrix struct matrix matrix = {0};
    char text[2048], long_one[601];
    memset(long_one, 'x', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    snprintf(text, sizeof text,
             "{\"recipe\": \"r\", \"vars\": {\"a\": [\"x_y\", \"x y\", \"x/y\", \"../y\", \"x-y\", \"%s\", "
             "\"%sy\"], "
             "\"b\": [\"1\", \"y_1\"]}}",
             long_one, long_one);
    assert_int_equal(parse(text, &matrix, &err), 0);
    assert_int_equal(matrix.cell_count, 14);
    for (size_t i = 0; i < matrix.cell_count; i++) {
        const char *tag = matrix.cells[i].tag;
        assert_true(strlen(tag) <= MATRIX_TAG_MAX && !strpbrk(tag, "/ "));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(tag, matrix.cells[k].tag);
    }
}

static void bad_ones_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"[]", "m.json:1:1: a matrix is an object"},
        {"{\"vars\": {}}", "\"recipe\""},
        {"{\"recipe\": \"\"}", "m.json:1:12: \"recipe\" must have 1 to"},
        {"{\"recipe\": 1}", "m.json:1:12"},
        {"{\"recipe\": \"r\", \"var\": {}}", "did you mean \"vars\""},
        {"{\"recipe\": \"r\", \"vars\": []}", "\"vars\""},
        {"{\"recipe\": \"r\", \"vars\": {\"a\": \"x\"}}", "m.json:1:31: \"a\" must be a list of values"},
        {"{\"recipe\": \"r\", \"vars\": {\"a\": []}}", "must be a list of values"},
        {"{\"recipe\": \"r\", \"vars\": {\"a\": [1]}}", "m.json:1:32: a value must be a string"},
        {"{\"recipe\": \"r\", \"vars\": {\"a\": [\"\\u001b[31m\"]}}", "control character"},
        {"{\"recipe\": \"r\", \"vars\": {\"a\": [\"x\", \"x\"]}}", "\"x\" is given twice"},
        {"{\"recipe\": \"r\", \"vars\": {\"a\": [\"x\"], \"a\": [\"y\"]}}", "\"a\""},
        {"{\"recipe\": \"r\", \"vars\": {\"a=b\": [\"x\"]}}", "not a variable's name"},
        {"{\"recipe\": \"r\", \"targets\": []}", "1 to 256 entries"},
        {"{\"recipe\": \"r\", \"targets\": [\"p\"]}", "a target is an object"},
        {"{\"recipe\": \"r\", \"targets\": [{\"projet\": \"p\"}]}", "did you mean \"project\""},
        {"{\"recipe\": \"r\", \"targets\": [{\"bucket\": \"p\"}, {\"bucket\": \"p\"}]}",
         "this target is given twice"},
        {"{\"recipe\": \"r\", \"vars\": {\"a\": [\"x\"]}, \"exclude\": [{\"b\": \"x\"}]}", "\"b\""},
        {"{\"recipe\": \"r\", \"vars\": {\"a\": [\"x\"]}, \"exclude\": [{\"a\": \"y\"}]}",
         "\"y\" is not among the values of \"a\""},
        {"{\"recipe\": \"r\", \"vars\": {\"a\": [\"x\"]}, \"exclude\": [{}]}",
         "an exclusion must be an object"},
        {"{\"recipe\": \"r\", \"vars\": {\"a\": [\"x\"]}, \"exclude\": [{\"a\": \"x\"}]}",
         "everything is excluded"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err;
        struct matrix matrix = {0};
        assert_int_equal(parse(rows[i].text, &matrix, &err), -1);
        if (!strstr(err.text, rows[i].why))
            print_error("%s: %s\n", rows[i].text, err.text);
        assert_non_null(strstr(err.text, rows[i].why));
        assert_int_equal(err.kind, ERR_RECIPE);
    }
}

static void too_many_are_refused(void **state)
{
    (void)state;
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    struct err err;
    struct matrix matrix = {0};
    buf_str(&text, "{\"recipe\": \"r\", \"vars\": {");
    for (int axis = 0; axis < 10; axis++)
        buf_printf(&text, "%s\"v%d\": [\"1\", \"2\", \"3\"]", axis ? ", " : "", axis);
    buf_str(&text, "}}");
    assert_int_equal(matrix_parse(text.data, text.len, "m.json", "", &matrix, &err), -1);
    assert_non_null(strstr(err.text, "more than 1024 combinations"));
}

/* manifests/recipes/matrix.schema.json, for editors, has the same keys. */
static void the_schema_has_the_parsers_keys(void **state)
{
    (void)state;
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    cleanup_json struct json_doc *doc = NULL;
    struct err err = {0};
    assert_int_equal(file_read("manifests/recipes/matrix.schema.json", 1 << 20, &text, &err), 0);
    assert_int_equal(json_parse(text.data, text.len, "schema", JSON_STRICT, ERR_RECIPE, &doc, &err), 0);
    const cJSON *top = cJSON_GetObjectItem(json_root(doc), "properties");
    const cJSON *target =
        cJSON_GetObjectItem(cJSON_GetObjectItem(cJSON_GetObjectItem(top, "targets"), "items"), "properties");
    const struct {
        const cJSON *object;
        const char *const *keys;
    } both[] = {{top, matrix_keys}, {target, matrix_target_keys}};
    for (size_t i = 0; i < 2; i++) {
        int count = 0;
        for (; both[i].keys[count]; count++)
            assert_non_null(cJSON_GetObjectItemCaseSensitive(both[i].object, both[i].keys[count]));
        assert_int_equal(cJSON_GetArraySize(both[i].object), count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_have_their_order),
        cmocka_unit_test(nothing_to_vary_is_one_cell),
        cmocka_unit_test(tags_differ),
        cmocka_unit_test(bad_ones_are_refused),
        cmocka_unit_test(too_many_are_refused),
        cmocka_unit_test(the_schema_has_the_parsers_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
