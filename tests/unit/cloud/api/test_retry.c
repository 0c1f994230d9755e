#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/api/retry.h"

static bool wanted(int status, const char *body)
{
    struct http_answer answer = {.status = status, .body = BUF_INIT(1000)};
    buf_str(&answer.body, body);
    bool yes = api_retry_wanted(&answer);
    http_answer_free(&answer);
    return yes;
}

/* The reason may be in either place, and in either spelling. */
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

static void test_temporary_reasons(void **state)
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
}

static void test_the_answer_gives_the_reason(void **state)
{
    (void)state;
    struct retry retry;
    struct err err;
    struct http_answer answer = {.status = 429};
    retry_begin(&retry, "cloud", &(struct retry_policy){.attempts = 1}, NULL);
    assert_int_equal(api_retry_answer(&retry, "this", &answer, NULL, &err), -1);
    assert_string_equal(err.text, "this: HTTP 429");
    assert_int_equal(err.kind, ERR_REMOTE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_are_retried),
        cmocka_unit_test(test_temporary_reasons),
        cmocka_unit_test(test_the_answer_gives_the_reason),
    };
    return cmocka_run_group_tests_name("cloud/retry", tests, NULL, NULL);
}
