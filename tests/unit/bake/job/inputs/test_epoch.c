/* SOURCE_DATE_EPOCH: which values are times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bake/job/inputs/epoch.h"

static int read_epoch(const char *text, int64_t *ret, bool *ret_set, struct err *err)
{
    *err = (struct err){0};
    if (text)
        assert_int_equal(setenv("SOURCE_DATE_EPOCH", text, 1), 0);
    else
        assert_int_equal(unsetenv("SOURCE_DATE_EPOCH"), 0);
    return epoch_from_environment(ret, ret_set, err);
}

static void unset_or_empty_is_not_set(void **state)
{
    (void)state;
    struct err err;
    int64_t epoch = 7;
    bool set = true;
    assert_int_equal(read_epoch(NULL, &epoch, &set, &err), 0);
    assert_false(set);
    assert_int_equal(read_epoch("", &epoch, &set, &err), 0);
    assert_false(set);
    assert_int_equal(epoch, 7);
}

static void seconds_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t epoch;
    } good[] = {{"0", 0}, {"1600000000", 1600000000}, {"253402300799", INT64_C(253402300799)}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct err err;
        int64_t epoch = -1;
        bool set = false;
        assert_int_equal(read_epoch(good[i].text, &epoch, &set, &err), 0);
        assert_true(set);
        assert_int_equal(epoch, good[i].epoch);
    }
}

static void anything_else_is_a_usage_error(void **state)
{
    (void)state;
    static const char *const bad[] = {"-1", "1x", "now", "253402300800", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err;
        int64_t epoch;
        bool set;
        assert_int_equal(read_epoch(bad[i], &epoch, &set, &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_non_null(strstr(err.text, bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unset_or_empty_is_not_set),
        cmocka_unit_test(seconds_are_read),
        cmocka_unit_test(anything_else_is_a_usage_error),
    };
    return cmocka_run_group_tests_name("job: SOURCE_DATE_EPOCH", tests, NULL, NULL);
}
