/* The recipe's "image" part as canonical JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bake/job/inputs/image_json.h"

static void nothing_is_an_empty_object(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_buf struct buf text = BUF_INIT(1000);
    assert_int_equal(image_json_write(&(struct recipe_image){0}, &text, &err), 0);
    assert_string_equal(text.data, "{}");
}

static void keys_have_a_fixed_order(void **state)
{
    (void)state;
    static const struct recipe_pair labels[] = {{"z", "1"}, {"a", "2"}};
    static const char *const licenses[] = {"l"}, *const features[] = {"GVNIC", "UEFI_COMPATIBLE"};
    const struct recipe_image image = {.family = "f",
                                       .storage_location = "eu",
                                       .labels = labels,
                                       .label_count = 2,
                                       .licenses = licenses,
                                       .license_count = 1,
                                       .guest_os_features = features,
                                       .feature_count = 2};
    struct err err = {0};
    cleanup_buf struct buf text = BUF_INIT(1000);
    assert_int_equal(image_json_write(&image, &text, &err), 0);
    assert_string_equal(text.data,
                        "{\"family\":\"f\",\"storage_location\":\"eu\",\"labels\":{\"z\":\"1\",\"a\":\"2\"},"
                        "\"licenses\":[\"l\"],\"guest_os_features\":[\"GVNIC\",\"UEFI_COMPATIBLE\"]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_an_empty_object),
        cmocka_unit_test(keys_have_a_fixed_order),
    };
    return cmocka_run_group_tests_name("job: image JSON", tests, NULL, NULL);
}
