/* What a push refuses before anything is built. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bake/remote/push_options.h"

static void options_are_checked(void **state)
{
    (void)state;
    static const struct {
        struct push_options options;
        const char *text; /* NULL: they are fine */
    } rows[] = {
        {{.session = {.bucket = "b"}}, NULL},
        {{.family = NULL}, "no bucket"},
        {{.session = {.bucket = "b"}, .location = "EU"}, "needs --create-bucket"},
        {{.session = {.bucket = "b"}, .location = "EU", .create_bucket = true}, NULL},
        {{.session = {.bucket = "b"}, .uploads = 65}, "--uploads is 1 to 64"},
        {{.session = {.bucket = "b", .rate = 1023}}, "--rate is at least 1KiB"},
        {{.session = {.bucket = "b"}, .architecture = "arm64"}, "--architecture is"},
        {{.session = {.bucket = "b"}, .kms_key = "k"}, "--kms-key needs projects/"},
        {{.session = {.bucket = "b"}, .family = "A"}, "--family \"A\""},
        {{.session = {.bucket = "b"}, .labels = {{"a=b"}, 1}}, NULL},
        {{.session = {.bucket = "b"}, .labels = {{"a"}, 1}}, "--label needs KEY=VALUE"},
        {{.session = {.bucket = "b"}, .labels = {{"bake-package=x"}, 1}}, "bake-package"},
        {{.session = {.bucket = "b"}, .labels = {{"bake-kubernetes=1-36"}, 1}}, "bake-kubernetes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        assert_int_equal(push_options_check(&rows[i].options, &err), rows[i].text ? -1 : 0);
        assert_true(!rows[i].text || (err.kind == ERR_USAGE && strstr(err.text, rows[i].text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_checked),
    };
    return cmocka_run_group_tests_name("push_options", tests, NULL, NULL);
}
