#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "boot/serial.h"
#include "text/utf8.h"

static void collect(void *ctx, const char *line)
{
    buf_printf(ctx, "%s|", line);
}

static void gives(const char *bytes, size_t len, size_t step, const char *want)
{
    struct buf got = BUF_INIT(1 << 20);
    struct serial serial = {.take = collect, .ctx = &got};
    for (size_t i = 0; i < len; i += step)
        serial_feed(&serial, bytes + i, len - i < step ? len - i : step);
    serial_flush(&serial);
    serial_flush(&serial);
    assert_string_equal(got.data ? got.data : "", want);
    buf_free(&got);
}

static void cuts_lines_in_any_pieces(void **state)
{
    (void)state;
    static const char text[] = "first\r\nsecond\n\n\r\nlogin: ";
    for (size_t step = 1; step < sizeof text; step++)
        gives(text, sizeof text - 1, step, "first|second||login:|");
}

static void cleans(const char *bytes, size_t len, const char *want)
{
    char out[SERIAL_CLEAN_MAX];
    serial_clean(bytes, len, out);
    assert_string_equal(out, want);
}
#define CLEANS(bytes, want) cleans(bytes, sizeof(bytes) - 1, want)

static void guest_cannot_drive_the_terminal(void **state)
{
    (void)state;
    CLEANS("[\033[0;32m  OK  \033[0m] Started x", "[  OK  ] Started x");
    CLEANS("\033[2J\033[1;1H\033[?25lx", "x");
    CLEANS("\033]0;title\007x", "\\x1b]0;title\\x07x");
    CLEANS("\033]52;c;aGk=\033\\", "\\x1b]52;c;aGk=\\x1b\\");
    CLEANS("\033[31", "\\x1b[31");
    CLEANS("\033[3\0301m", "\\x1b[3\\x181m");
    CLEANS("\033", "\\x1b");
    CLEANS("\033c\033[", "\\x1bc\\x1b[");
    CLEANS("a\tb\bc\177\0d", "a b\\x08c\\x7f\\x00d");
    CLEANS("\302\233"
           "31m",
           "\\xc2\\x9b31m"); /* CSI as one C1 character */
    CLEANS("\23331m", "\\x9b31m");
    CLEANS("\342\200\256txt", "\\xe2\\x80\\xaetxt"); /* right-to-left override */
    CLEANS("\342\201\246x", "\\xe2\\x81\\xa6x");
}

static void text_of_all_languages_stays(void **state)
{
    (void)state;
    CLEANS("se\342\200\246ice \303\251 \360\237\220\247 \302\240",
           "se\342\200\246ice \303\251 \360\237\220\247 \302\240");
    CLEANS("\303", "\\xc3");
    CLEANS("\303x", "\\xc3x");
    CLEANS("\300\257", "\\xc0\\xaf");
    CLEANS("\340\200\257", "\\xe0\\x80\\xaf");
    CLEANS("\355\240\200", "\\xed\\xa0\\x80");
    CLEANS("\364\220\200\200", "\\xf4\\x90\\x80\\x80");
    CLEANS("\342\200", "\\xe2\\x80");
}

static void painted_menus_are_squeezed(void **state)
{
    (void)state;
    CLEANS("         Starting x", "         Starting x");
    CLEANS("a\033[1;1H                 \033[2;2Hb   ", "a  b");
    CLEANS("                         ", "");
}

static void long_line_comes_in_pieces(void **state)
{
    (void)state;
    enum { LEN = 3 * SERIAL_LINE_MAX + 5 };
    char *line = malloc(LEN);
    struct buf want = BUF_INIT(LEN + 16);
    assert_non_null(line);
    memset(line, 'x', LEN);
    for (size_t at = 0; at < LEN; at += SERIAL_LINE_MAX) {
        buf_add(&want, line, LEN - at < SERIAL_LINE_MAX ? LEN - at : SERIAL_LINE_MAX);
        buf_str(&want, "|");
    }
    gives(line, LEN, 777, want.data);
    buf_free(&want);
    free(line);
}

/* For any input, the output is UTF-8 without control characters, and fits. */
static void noise_is_made_harmless(void **state)
{
    (void)state;
    char bytes[SERIAL_LINE_MAX], out[SERIAL_CLEAN_MAX];
    uint32_t seed = 1;
    for (unsigned round = 0; round < 2000; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            static const char likely[] = "\033[\302\233\342\200m0;";
            seed = seed * UINT32_C(1664525) + UINT32_C(1013904223);
            bytes[i] = (char)(seed >> 24);
            if (round % 2 && (seed >> 16) % 2)
                bytes[i] = likely[(seed >> 17) % (sizeof likely - 1)];
        }
        serial_clean(bytes, sizeof bytes, out);
        size_t len = strlen(out);
        assert_true(len < sizeof out && utf8_ok(out, len));
        for (size_t i = 0; i < len; i++)
            assert_true((unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
        assert_null(strstr(out, "\302\233"));
    }
    memset(bytes, 1, sizeof bytes);
    serial_clean(bytes, sizeof bytes, out);
    assert_int_equal(strlen(out), SERIAL_CLEAN_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_lines_in_any_pieces),    cmocka_unit_test(guest_cannot_drive_the_terminal),
        cmocka_unit_test(text_of_all_languages_stays), cmocka_unit_test(long_line_comes_in_pieces),
        cmocka_unit_test(painted_menus_are_squeezed),  cmocka_unit_test(noise_is_made_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
