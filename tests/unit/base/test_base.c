#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/run.h"

static void err_chains_from_the_inside_out(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_sys(&err, ENOSPC, "write %s", "x"), -1);
    assert_int_equal(err.kind, ERR_SPACE);
    assert_string_equal(err.text, "write x: No space left on device");
    assert_int_equal(err_wrap(&err, "image"), -1);
    assert_string_equal(err.text, "image: write x: No space left on device");
    assert_int_equal(err_exit_code(&err), 6);
}

static void err_keeps_its_cap(void **state)
{
    (void)state;
    char big[2 * ERR_TEXT_MAX];
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    struct err err = {0};
    err_set(&err, ERR_IO, EIO, "%s", big);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    err_wrap(&err, "outer");
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    assert_memory_equal(err.text, "outer: aaa", 10);
    err_wrap(&err, "%s", big);
    assert_memory_equal(err.text, "outer: aaa", 10);
}

static void interrupted_exits_with_the_signal(void **state)
{
    (void)state;
    volatile sig_atomic_t stop = 0;
    struct run run = {.stop = &stop};
    struct err err = {0};
    assert_int_equal(run_check(NULL, &err), 0);
    assert_int_equal(run_check(&run, &err), 0);
    stop = SIGTERM;
    assert_int_equal(run_check(&run, &err), -1);
    assert_int_equal(err_exit_code(&err), 143);
}

static void buf_is_capped_and_sticky(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_buf struct buf buf = BUF_INIT(10);
    buf_printf(&buf, "%d-%s", 12, "ab");
    assert_string_equal(buf.data, "12-ab");
    assert_int_equal(buf_check(&buf, "it", &err), 0);
    buf_str(&buf, "123456");
    buf_str(&buf, "1");
    assert_int_equal(buf_check(&buf, "it", &err), -1);
    assert_string_equal(buf.data, "12-ab");
    buf_free(&buf);
    char *empty = buf_steal(&buf);
    assert_string_equal(empty, "");
    free(empty);
}

static void arena_aligns_zeroes_and_caps(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {.max = 100000};
    for (size_t i = 1; i < 200; i++) {
        unsigned char *p = arena_alloc(&arena, i);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t j = 0; j < i; j++)
            assert_int_equal(p[j], 0);
        memset(p, 255, i);
    }
    assert_null(arena_alloc(&arena, 100000));
    assert_null(arena_array(&arena, SIZE_MAX / 2, 3));
    assert_string_equal(arena_printf(&arena, "%s%d", "x", 1), "x1");
}

static void a_digest_is_known(void **state)
{
    (void)state;
    struct err err = {0};
    struct sha256 sum, other = {0};
    static const uint8_t first[] = {0xba, 0x78, 0x16, 0xbf};
    assert_int_equal(sha256_of("abc", 3, &sum, &err), 0);
    assert_memory_equal(sum.bytes, first, sizeof first);
    assert_true(sha256_equal(&sum, &sum));
    assert_false(sha256_equal(&sum, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_chains_from_the_inside_out),    cmocka_unit_test(err_keeps_its_cap),
        cmocka_unit_test(interrupted_exits_with_the_signal), cmocka_unit_test(buf_is_capped_and_sticky),
        cmocka_unit_test(arena_aligns_zeroes_and_caps),      cmocka_unit_test(a_digest_is_known),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
