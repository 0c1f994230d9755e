/* What a push calls its image and its objects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/push/names.h"

static void names_of_images(void **state)
{
    (void)state;
    char name[IMAGE_NAME_MAX + 1];
    static const char *const rows[][2] = {
        {"node-0123456789ab", "node-0123456789ab"},
        {"Node_1.2+x-0123456789ab", "node-1-2-x-0123456789ab"},
        {"1st-0123456789ab", "b-1st-0123456789ab"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-0123456789ab",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-0123456789ab"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        push_image_name(rows[i][0], name);
        assert_string_equal(name, rows[i][1]);
        assert_true(image_name_ok(name));
    }
    assert_false(image_name_ok("-a") || image_name_ok("a-") || image_name_ok("") || image_name_ok("A"));
}

static void objects_lie_under_the_prefix(void **state)
{
    (void)state;
    struct push_names names;
    struct err err = {0};
    char package[] = "node-0123456789ab", document[OBJECT_NAME_CAP], prefix[OBJECT_NAME_CAP];
    const struct sealed sealed = {.name = package};
    assert_int_equal(push_names_make(&sealed, "images/", "p", &names, &err), 0);
    assert_string_equal(names.image, package);
    assert_string_equal(names.archive, "images/node-0123456789ab.tar.gz");
    assert_string_equal(names.claim, "images/claims/p/node-0123456789ab.json");
    assert_string_equal(names.segments, "images/segments/");
    assert_int_equal(push_names_document(&names, ".spdx.json", document, &err), 0);
    assert_string_equal(document, "images/node-0123456789ab.spdx.json");
    memset(prefix, 'x', sizeof prefix - 1);
    prefix[sizeof prefix - 1] = '\0';
    assert_int_equal(push_names_make(&sealed, prefix, "p", &names, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
}

static void versions_as_labels(void **state)
{
    (void)state;
    char label[PUSH_VERSION_LABEL];
    push_version_label("1.36.3", label);
    assert_string_equal(label, "1-36-3");
    push_version_label("1234567890.1234567890.1234567890.1234567890", label);
    assert_string_equal(label, "1234567890-1234567890-123456789");
    assert_true(push_own_label("bake-kubernetes") && push_own_label("bake-family"));
    assert_false(push_own_label("bake-") || push_own_label("kubernetes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_images),
        cmocka_unit_test(objects_lie_under_the_prefix),
        cmocka_unit_test(versions_as_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
