#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/cloud/fake_clock.h"

static struct http_answer answer_with(int status, const char *retry_after)
{
    struct http_answer answer = {.status = status, .head = BUF_INIT(1000), .body = BUF_INIT(1000)};
    if (retry_after) {
        buf_printf(&answer.head, "Retry-After:%s", retry_after);
        buf_add(&answer.head, "", 1);
    }
    return answer;
}

static int fail_once(struct retry *retry, struct err *err)
{
    err_set(err, ERR_NETWORK, 0, "cut");
    return retry_error(retry, "this", NULL, err);
}

static void test_doubles_up_to_the_cap_and_ends(void **state)
{
    (void)state;
    struct fake_clock clock;
    struct retry retry;
    struct err err;
    const struct retry_policy policy = {.attempts = 6, .first_ms = 100, .max_ms = 500};
    fake_clock_init(&clock);
    retry_begin(&retry, &policy, &clock.source);
    for (int i = 0; i < 5; i++)
        assert_int_equal(fail_once(&retry, &err), 0);
    static const int64_t most[] = {100, 200, 400, 500, 500};
    assert_int_equal(clock.sleeps, 5);
    assert_memory_equal(clock.slept, most, sizeof most);
    assert_int_equal(fail_once(&retry, &err), -1);
    assert_int_equal(err.kind, ERR_NETWORK);
    assert_string_equal(err.text, "gave up after 6 attempts: cut");
    /* final for a loop around this one too */
    struct retry outer;
    retry_begin(&outer, &policy, &clock.source);
    assert_int_equal(retry_error(&outer, "outer", NULL, &err), -1);
    assert_int_equal(clock.sleeps, 5);
}

static void test_full_jitter(void **state)
{
    (void)state;
    struct fake_clock clock;
    struct retry retry;
    struct err err;
    fake_clock_init(&clock);
    clock.random = 0;
    retry_begin(&retry, NULL, &clock.source);
    assert_int_equal(fail_once(&retry, &err), 0);
    clock.random = UINT32_MAX / 2;
    assert_int_equal(fail_once(&retry, &err), 0);
    assert_int_equal(clock.slept[0], 0);
    assert_in_range(clock.slept[1], 999, 1001); /* half of 2 s */
}

static bool wanted(int status, const char *body)
{
    struct http_answer answer = answer_with(status, NULL);
    buf_str(&answer.body, body);
    bool yes = retry_wanted(&answer);
    http_answer_free(&answer);
    return yes;
}

/* The reason may be in either place, and in either form. */
static bool wanted_for(int status, const char *reason)
{
    char one[300], two[300];
    snprintf(one, sizeof one, "{\"error\":{\"code\":%d,\"errors\":[{\"reason\":\"%s\"}],\"message\":\"m\"}}",
             status, reason);
    snprintf(two, sizeof two,
             "{\"error\":{\"status\":\"PERMISSION_DENIED\",\"errors\":[{\"reason\":\"forbidden\"}],"
             "\"details\":[{},{\"reason\":\"%s\"}]}}",
             reason);
    bool yes = wanted(status, one);
    assert_int_equal(wanted(status, two), yes);
    return yes;
}

static void test_reasons_that_pass(void **state)
{
    (void)state;
    static const char *const yes[] = {"rateLimitExceeded",
                                      "userRateLimitExceeded",
                                      "RATE_LIMIT_EXCEEDED",
                                      "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED",
                                      "resourceNotReady",
                                      "RESOURCE_NOT_READY",
                                      "RESOURCE_OPERATION_RATE_EXCEEDED"};
    static const char *const no[] = {"forbidden",
                                     "insufficientPermissions",
                                     "quotaExceeded",
                                     "invalid",
                                     "rateLimit",
                                     "rateLimitExceededs",
                                     "",
                                     "_",
                                     "QUOTA_EXCEEDED",
                                     "retentionPolicyNotMet",
                                     "dailyLimitExceeded"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        assert_true(wanted_for(403, yes[i]));
        assert_true(wanted_for(400, yes[i]));
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(wanted_for(403, no[i]));
    assert_false(wanted_for(200, "rateLimitExceeded"));
    assert_false(wanted_for(308, "rateLimitExceeded"));
    assert_true(wanted(400, "{\"error\":\"temporarily_unavailable\"}"));
    assert_false(wanted(400, "{\"error\":\"invalid_grant\"}"));
    assert_false(wanted(403, "rateLimitExceeded"));
    assert_false(wanted(403, "{\"error\":{\"errors\":{\"reason\":\"rateLimitExceeded\"},\"details\":7}}"));
    assert_false(wanted(403, "{\"error\":{\"errors\":[7,null,{\"reason\":7}]}}"));
}

static void test_which_are_retried(void **state)
{
    (void)state;
    static const int yes[] = {408, 429, 500, 502, 503, 504};
    static const int no[] = {200, 204, 308, 400, 401, 403, 404, 409, 410, 412, 413, 501, 505};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(wanted(yes[i], ""));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(wanted(no[i], ""));
    struct fake_clock clock;
    struct retry retry;
    struct err err;
    static const enum err_kind final[] = {ERR_VERIFY, ERR_REMOTE, ERR_IO, ERR_INTERRUPTED, ERR_INTERNAL};
    fake_clock_init(&clock);
    for (size_t i = 0; i < sizeof final / sizeof *final; i++) {
        retry_begin(&retry, NULL, &clock.source);
        err_set(&err, final[i], 0, "why");
        assert_int_equal(retry_error(&retry, "this", NULL, &err), -1);
        assert_string_equal(err.text, "why");
    }
    assert_int_equal(clock.sleeps, 0);
}

/* What a Retry-After makes of a back-off whose random part is nothing. */
static int64_t wait_for(const char *retry_after)
{
    struct fake_clock clock;
    struct retry retry;
    struct err err;
    struct http_answer answer = answer_with(503, retry_after);
    fake_clock_init(&clock);
    clock.random = 0;
    retry_begin(&retry, &(struct retry_policy){.retry_after_max_s = 60}, &clock.source);
    assert_int_equal(retry_answer(&retry, "this", &answer, NULL, &err), 0);
    http_answer_free(&answer);
    return clock.slept[0];
}

static void test_retry_after(void **state)
{
    (void)state;
    assert_int_equal(wait_for(NULL), 0);
    assert_int_equal(wait_for("7"), 7000);
    assert_int_equal(wait_for("0"), 0);
    assert_int_equal(wait_for("61"), 60000);
    assert_int_equal(wait_for("99999999999999999999999999"), 60000);
    assert_int_equal(wait_for("Tue, 14 Nov 2023 22:13:30 GMT"), 10000);
    assert_int_equal(wait_for("Tue, 14 Nov 2023 22:13:10 GMT"), 0); /* past */
    assert_int_equal(wait_for("Fri, 14 Nov 2025 22:13:10 GMT"), 60000);
    assert_int_equal(wait_for("-5"), 0);
    assert_int_equal(wait_for("5 minutes"), 0);
    assert_int_equal(wait_for("soon"), 0);
    assert_int_equal(wait_for(""), 0);
}

static void test_deadline(void **state)
{
    (void)state;
    struct fake_clock clock;
    struct retry retry;
    struct err err;
    struct http_answer answer = answer_with(429, "50");
    fake_clock_init(&clock);
    clock.random = 0;
    retry_begin(&retry, &(struct retry_policy){.deadline_s = 120, .retry_after_max_s = 60}, &clock.source);
    assert_int_equal(retry_answer(&retry, "this", &answer, NULL, &err), 0);
    assert_int_equal(retry_answer(&retry, "this", &answer, NULL, &err), 0);
    assert_int_equal(retry_answer(&retry, "this", &answer, NULL, &err), -1); /* would be 150 s */
    assert_string_equal(err.text, "gave up after 3 attempts: this: HTTP 429");
    assert_int_equal(err.kind, ERR_REMOTE);
    retry_begin(&retry, &(struct retry_policy){.deadline_s = 120, .retry_after_max_s = 60}, &clock.source);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(retry_answer(&retry, "this", &answer, NULL, &err), 0);
        retry_progress(&retry); /* it goes on: counting begins anew */
    }
    http_answer_free(&answer);
}

static void test_interrupted_while_waiting(void **state)
{
    (void)state;
    struct retry retry;
    struct err err;
    volatile sig_atomic_t stop = SIGINT;
    struct run run = {.stop = &stop};
    retry_begin(&retry, &(struct retry_policy){.first_ms = 60000, .max_ms = 60000}, NULL);
    err_set(&err, ERR_NETWORK, 0, "cut");
    assert_int_equal(retry_error(&retry, "this", &run, &err), -1);
    assert_int_equal(err.kind, ERR_INTERRUPTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_the_cap_and_ends),
        cmocka_unit_test(test_full_jitter),
        cmocka_unit_test(test_which_are_retried),
        cmocka_unit_test(test_reasons_that_pass),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_interrupted_while_waiting),
    };
    return cmocka_run_group_tests_name("cloud/retry", tests, NULL, NULL);
}
