/* How the command line names a package, and which options contradict each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bake/remote/package_file.h"

static void a_package_is_its_manifest_or_archive(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"d/x.manifest.json", "d/x.manifest.json"},
                                          {"d/x.tar.gz", "d/x.manifest.json"},
                                          {"d/x.json", NULL},
                                          {".tar.gz", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        cleanup_free char *path = NULL;
        assert_int_equal(package_manifest_path(rows[i][0], &path, &err), rows[i][1] ? 0 : -1);
        if (rows[i][1])
            assert_string_equal(path, rows[i][1]);
        else
            assert_int_equal(err.kind, ERR_USAGE);
    }
}

static void options_that_contradict_are_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct package_options options = {.public_key = "k"};
    assert_int_equal(package_options_check(&options, &err), -1);
    assert_non_null(strstr(err.text, "no package"));
    options.package = "x.tar.gz";
    assert_int_equal(package_options_check(&options, &err), 0);
    options.unsigned_package = true;
    assert_int_equal(package_options_check(&options, &err), -1);
    assert_non_null(strstr(err.text, "--unsigned and --public-key"));
    assert_int_equal(err.kind, ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_package_is_its_manifest_or_archive),
        cmocka_unit_test(options_that_contradict_are_refused),
    };
    return cmocka_run_group_tests_name("package_file", tests, NULL, NULL);
}
