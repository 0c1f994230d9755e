/* Where the services are, and how Google's errors are shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/api/error.h"
#include "cloud/api/endpoints.h"

static void test_universe(void **state)
{
    (void)state;
    struct cloud_env env = {0};
    struct endpoints e;
    struct err err;
    assert_int_equal(endpoints_fill(&env, NULL, &e, &err), 0);
    assert_string_equal(e.universe, "googleapis.com");
    assert_string_equal(e.storage, "https://storage.googleapis.com/storage/v1");
    assert_string_equal(e.storage_upload, "https://storage.googleapis.com/upload/storage/v1");
    assert_string_equal(e.compute, "https://compute.googleapis.com/compute/v1");
    assert_string_equal(e.token, "https://oauth2.googleapis.com/token");
    assert_string_equal(e.iamcredentials, "https://iamcredentials.googleapis.com/v1");
    assert_string_equal(e.sts, "https://sts.googleapis.com/v1/token");
    assert_string_equal(e.metadata, "http://metadata.google.internal");
    assert_int_equal(endpoints_fill(&env, "apis-tpclp.goog", &e, &err), 0);
    assert_string_equal(e.storage, "https://storage.apis-tpclp.goog/storage/v1");
    assert_string_equal(e.compute, "https://compute.apis-tpclp.goog/compute/v1");
    static const char *const bad[] = {"",    "com",    "evil.com/x", "a..b", ".a.b",
                                      "A.B", "a.b:80", "x@a.b",      "a.b."};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(endpoints_fill(&env, bad[i], &e, &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
    }
}

static void test_overrides(void **state)
{
    (void)state;
    struct endpoints e;
    struct err err;
    struct cloud_env env = {.storage = "http://127.0.0.1:8/storage/v1/",
                            .compute = "http://localhost:8/compute/v1/",
                            .iamcredentials = "http://[::1]:8/",
                            .sts = "https://sts.example.com/v1/",
                            .token = "http://127.0.0.1:8/token",
                            .metadata_host = "127.0.0.1:8"};
    assert_int_equal(endpoints_fill(&env, NULL, &e, &err), 0);
    assert_string_equal(e.storage, "http://127.0.0.1:8/storage/v1");
    assert_string_equal(e.storage_upload, "http://127.0.0.1:8/upload/storage/v1");
    assert_string_equal(e.compute, "http://localhost:8/compute/v1");
    assert_string_equal(e.iamcredentials, "http://[::1]:8/v1");
    assert_string_equal(e.sts, "https://sts.example.com/v1/token");
    assert_string_equal(e.token, "http://127.0.0.1:8/token");
    assert_string_equal(e.metadata, "http://127.0.0.1:8");
    env = (struct cloud_env){.storage_emulator = "127.0.0.1:9"};
    assert_int_equal(endpoints_fill(&env, NULL, &e, &err), 0);
    assert_string_equal(e.storage, "http://127.0.0.1:9/storage/v1");
    env = (struct cloud_env){.storage_emulator = "http://127.0.0.1:9/"};
    assert_int_equal(endpoints_fill(&env, NULL, &e, &err), 0);
    assert_string_equal(e.storage_upload, "http://127.0.0.1:9/upload/storage/v1");
}

static void test_bad_overrides(void **state)
{
    (void)state;
    const struct cloud_env bad[] = {{.storage = "http://storage.example.com/"},
                                    {.storage = "storage.example.com"},
                                    {.storage_emulator = "emulator.example.com:80"},
                                    {.compute = "http://10.0.0.1/compute/v1/"},
                                    {.compute = "https://user:pw@compute.example.com/"},
                                    {.token = "ftp://127.0.0.1/"},
                                    {.sts = "http://127.0.0.1.example.com/"},
                                    {.iamcredentials = "https://a/#b"},
                                    {.metadata_host = "http://127.0.0.1"},
                                    {.metadata_host = "a/b"},
                                    {.metadata_root = "a b"},
                                    {.metadata_ip = "x@y"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct endpoints e;
        struct err err;
        assert_int_equal(endpoints_fill(&bad[i], NULL, &e, &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_null(strstr(err.text, "pw"));
    }
}

static const char *shown_error(int status, const char *body)
{
    static struct err err;
    struct http_answer answer = {.status = status, .body = BUF_INIT(HTTP_ANSWER_MAX)};
    buf_str(&answer.body, body);
    assert_int_equal(api_error_set(&answer, "this", &err), -1);
    assert_int_equal(err.kind, ERR_REMOTE);
    http_answer_free(&answer);
    return err.text;
}

static void test_errors_are_shown(void **state)
{
    (void)state;
    assert_string_equal(
        shown_error(412, "{\"error\":{\"code\":412,\"message\":\"At least one of the pre-conditions you "
                         "specified did not hold.\",\"errors\":[{\"message\":\"x\",\"domain\":\"global\","
                         "\"reason\":\"conditionNotMet\"}]}}"),
        "this: HTTP 412: conditionNotMet: At least one of the pre-conditions you specified did not "
        "hold.");
    assert_string_equal(
        shown_error(403,
                    "{\"error\":{\"code\":403,\"message\":\"Denied\",\"status\":\"PERMISSION_DENIED\"}}"),
        "this: HTTP 403: PERMISSION_DENIED: Denied");
    assert_string_equal(
        shown_error(400, "{\"error\":\"invalid_grant\",\"error_description\":\"Bad\\n  Request\"}"),
        "this: HTTP 400: invalid_grant: Bad Request");
    assert_string_equal(shown_error(503, "Service \x1b[31m unavailable\r\n"),
                        "this: HTTP 503: Service ?[31m unavailable");
    assert_string_equal(shown_error(404, "<html><body>404</body></html>"), "this: HTTP 404");
    assert_string_equal(shown_error(500, ""), "this: HTTP 500");
    assert_string_equal(shown_error(500, "[1]"), "this: HTTP 500");
    assert_string_equal(shown_error(500, "{\"error\":{\"errors\":[]}}"), "this: HTTP 500");
    assert_string_equal(shown_error(500, "{\"error\":{\"message\":7,\"errors\":{}}}"), "this: HTTP 500");
}

static void test_safe(void **state)
{
    (void)state;
    char to[16];
    static const struct {
        const char *from, *want;
    } cases[] = {{"abc", "abc"},
                 {"  a \n\t b  ", "a b"},
                 {"a\x01\x7f", "a??"},
                 {"a\xff"
                  "b",
                  "a?b"},
                 {"\xc2\x9b"
                  "31m",
                  "?31m"}, /* a C1 control sequence */
                 {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
                 {"0123456789abcdefgh", "0123456789ab..."}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        api_error_safe(cases[i].from, strlen(cases[i].from), to, sizeof to);
        assert_string_equal(to, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_universe),      cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_bad_overrides), cmocka_unit_test(test_errors_are_shown),
        cmocka_unit_test(test_safe),
    };
    return cmocka_run_group_tests_name("cloud/endpoints", tests, NULL, NULL);
}
