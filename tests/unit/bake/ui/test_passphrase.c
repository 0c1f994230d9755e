/* Where a passphrase is read from, and which files and lines are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bake/ui/passphrase.h"

enum { CAPACITY = 8 };

/* TEXT through a descriptor: 0, or -1 with err. */
static int read_text(const char *text, char out[static CAPACITY], size_t *len, struct err *err)
{
    int ends[2];
    *err = (struct err){0};
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    close(ends[1]);
    struct passphrase_options options = {.fd = (uint64_t)ends[0]};
    const struct passphrase_source source = passphrase_source(&options);
    int r = source.ask(source.ctx, "the.key", out, CAPACITY, len, err);
    close(ends[0]);
    return r;
}

static void the_first_line_counts(void **state)
{
    (void)state;
    struct err err;
    char out[CAPACITY];
    size_t len = 0;
    assert_int_equal(read_text("word\r\nmore\n", out, &len, &err), 0);
    assert_int_equal(len, 4);
    assert_memory_equal(out, "word", 4);
    assert_int_equal(read_text("12345678", out, &len, &err), 0);
    assert_int_equal(len, CAPACITY);
}

static void empty_and_long_lines_are_refused(void **state)
{
    (void)state;
    struct err err;
    char out[CAPACITY];
    size_t len = 0;
    assert_int_equal(read_text("\nword", out, &len, &err), -1);
    assert_non_null(strstr(err.text, "is empty"));
    assert_int_equal(read_text("123456789", out, &len, &err), -1);
    assert_non_null(strstr(err.text, "longer than 8 bytes"));
    assert_int_equal(err.kind, ERR_USAGE);
}

static void a_file_must_be_private(void **state)
{
    (void)state;
    char path[] = "/tmp/test_passphrase.XXXXXX", out[CAPACITY];
    size_t len = 0;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "word\n", 5), 5);
    struct passphrase_options options = {.file = path, .fd = UINT64_MAX};
    const struct passphrase_source source = passphrase_source(&options);
    struct err err = {0};
    assert_int_equal(source.ask(source.ctx, "the.key", out, CAPACITY, &len, &err), 0);
    assert_int_equal(len, 4);
    assert_int_equal(fchmod(fd, 0644), 0);
    assert_int_equal(source.ask(source.ctx, "the.key", out, CAPACITY, &len, &err), -1);
    assert_non_null(strstr(err.text, "chmod 600"));
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_counts),
        cmocka_unit_test(empty_and_long_lines_are_refused),
        cmocka_unit_test(a_file_must_be_private),
    };
    return cmocka_run_group_tests_name("passphrase", tests, NULL, NULL);
}
