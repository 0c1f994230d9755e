/* Sizes for people, and lines of JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bake/ui/ui.h"

static void sizes_have_units(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {UINT64_C(142) << 20, "142 MiB"},
        {UINT64_C(13) << 30, "13.0 GiB"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[16];
        assert_string_equal(ui_bytes(rows[i].bytes, text), rows[i].text);
    }
}

static void a_line_starts_with_its_event(void **state)
{
    (void)state;
    struct ui ui;
    struct ui_line line;
    ui_init(&ui); /* no --json: the line is made and freed, not printed */
    ui_line_open(&line, &ui, "step");
    json_string(&line.json, "text", "a\"b");
    assert_non_null(strstr(line.text.data, "\"event\""));
    assert_non_null(strstr(line.text.data, "a\\\"b"));
    ui_line_print(&line);
    assert_false(ui.lost);
    assert_null(line.text.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_have_units),
        cmocka_unit_test(a_line_starts_with_its_event),
    };
    return cmocka_run_group_tests_name("ui", tests, NULL, NULL);
}
