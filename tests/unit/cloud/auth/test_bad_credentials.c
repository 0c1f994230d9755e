/* Credentials that are wrong, expired, unreadable or hostile: the errors, and that they show no secret. */
#include "tests/unit/cloud/credentials_rig.h"

#include "cloud/auth/token_request.h"

/* No part of a secret may appear in an error or a note: all secrets here contain "secret", or are the private
 * key. */
static void says_no_secret(const struct rig *rig)
{
    assert_null(strstr(rig->err.text, "secret-"));
    assert_null(strstr(rig->said, "secret-"));
    assert_null(strstr(rig->err.text, "MII"));
    assert_null(strstr(rig->said, "MII"));
}

struct bad_file {
    const char *text;
    const char *says;
};

static void check_files(struct rig *rig, const struct bad_file *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rig_write(rig, cases[i].text);
        assert_int_equal(rig_open(rig, NULL), -1);
        assert_int_equal(rig->err.kind, ERR_RECIPE);
        assert_non_null(strstr(rig->err.text, rig->path)); /* the file is named */
        if (!strstr(rig->err.text, cases[i].says))
            fail_msg("\"%s\" is not in: %s", cases[i].says, rig->err.text);
        says_no_secret(rig);
    }
    assert_int_equal(peer_count(&rig->peer), 0);
}

#define SA(more) "{\"type\":\"service_account\",\"client_email\":\"a@b\"," more "}"

static void test_files(void **state)
{
    static const struct bad_file cases[] = {
        {"", "ends here"},
        {"[]", "must be a JSON object"},
        {"secret-1", "expected"},
        {"{\"type\":\"service_account\",\"private_key\":\"secret-2", "unterminated string"},
        {"{}", "\"type\" is missing"},
        {"{\"type\":7}", "\"type\" must be"},
        {"{\"type\":\"api_key\"}", "of type \"api_key\" are not known"},
        {"{\"type\":\"\\u001b[31mx\"}", "control character"},
        {"{\"type\":\"authorized_user\",\"client_id\":\"i\",\"client_secret\":\"secret-3\"}",
         "\"refresh_token\" is missing"},
        {"{\"type\":\"authorized_user\",\"client_id\":\"i\",\"client_secret\":\"\",\"refresh_token\":"
         "\"secret-4\"}",
         "\"client_secret\" is empty"},
        {"{\"type\":\"authorized_user\",\"client_id\":[],\"client_secret\":\"x\",\"refresh_token\":\"secret-"
         "4\"}",
         "\"client_id\" must be"},
        {"{\"type\":\"authorized_user\",\"type\":\"service_account\"}", "type"},
        {SA("\"token_uri\":\"$/token\""), "\"private_key\" is missing"},
        {SA("\"private_key\":\"secret-5\""), "\"private_key\": the private key cannot be read"},
        {SA("\"private_key\":\"-----BEGIN PRIVATE KEY-----\\nMIIsecret-6\\n-----END PRIVATE KEY-----\\n\""),
         "download the key"},
        {SA("\"private_key\":\"-----BEGIN PRIVATE "
            "KEY-----\\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\\n"
            "-----END PRIVATE KEY-----\\n\""),
         "must be RSA"},
        {"{\"type\":\"impersonated_service_account\"}", "\"source_credentials\" is missing"},
        {"{\"type\":\"impersonated_service_account\",\"source_credentials\":{" USER "}}",
         "impersonation_url\" is missing"},
        {"{\"type\":\"impersonated_service_account\",\"source_credentials\":{\"type\":\"impersonated_service_"
         "account\"}}",
         "may not be impersonated themselves"},
        {"{\"type\":\"impersonated_service_account\",\"source_credentials\":{" USER
         "},\"service_account_impersonation_url\":"
         "\"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a:generateIdToken\"}",
         "must end in"},
        {"{\"type\":\"impersonated_service_account\",\"source_credentials\":{" USER
         "},\"service_account_impersonation_url\":"
         "\"$/v1/projects/-/serviceAccounts/a/../b:generateAccessToken\"}",
         "must end in"},
        {"{\"type\":\"impersonated_service_account\",\"delegates\":[1],\"source_credentials\":{" USER
         "},\"service_account_impersonation_url\":\"$/v1/projects/-/serviceAccounts/a:generateAccessToken\"}",
         "\"delegates\""},
    };
    check_files(*state, cases, sizeof cases / sizeof *cases);
}

#define EA(source) "{" EXTERNAL ",\"credential_source\":" source "}"

static void test_external_files(void **state)
{
    static const struct bad_file cases[] = {
        {"{" EXTERNAL "}", "\"credential_source\" is missing"},
        {EA("{}"), "expected either \"file\" or \"url\""},
        {EA("{\"file\":\"f\",\"url\":\"https://a/\"}"), "expected either \"file\" or \"url\""},
        {EA("{\"executable\":{\"command\":\"/bin/cat secret-1\"}}"), "bake does not run programs"},
        {EA("{\"environment_id\":\"aws1\",\"url\":\"http://169.254.169.254/\"}"), "AWS credentials"},
        {EA("{\"certificate\":{\"use_default_certificate_config\":true}}"),
         "\"certificate\" sources are not supported"},
        {EA("{\"url\":\"http://10.0.0.1/secret\"}"), "not from http://10.0.0.1"},
        {EA("{\"url\":\"http://example.com/\"}"), "not from http://example.com"},
        {EA("{\"url\":\"file:///etc/shadow\"}"), "not an https:// or http:// URL"},
        {EA("{\"url\":\"https://u:secret-2@a/\"}"), "a user, a password"},
        {EA("{\"url\":\"$/subject\",\"headers\":{\"Host\":\"a\"}}"), "may not be set"},
        {EA("{\"url\":\"$/subject\",\"headers\":{\"transfer-encoding\":\"chunked\"}}"), "may not be set"},
        {EA("{\"url\":\"$/subject\",\"headers\":{\"X Y\":\"a\"}}"), "may not be set"},
        {EA("{\"url\":\"$/subject\",\"headers\":{\"X\":\"a\\r\\nsecret-3: b\"}}"), "control character"},
        {EA("{\"url\":\"$/"
            "subject\",\"headers\":{\"a\":\"1\",\"b\":\"1\",\"c\":\"1\",\"d\":\"1\",\"e\":\"1\",\"f\":\"1\","
            "\"g\":\"1\"}}"),
         "more than 6 headers"},
        {EA("{\"url\":\"$/subject\",\"format\":{\"type\":\"xml\"}}"), "must be \"text\" or \"json\""},
        {EA("{\"url\":\"$/subject\",\"format\":{\"type\":\"json\"}}"),
         "\"subject_token_field_name\" is missing"},
        {"{" EXTERNAL ",\"credential_source\":{\"file\":\"f\"},\"service_account_impersonation\":{\"token_"
         "lifetime_seconds\":10},"
         "\"service_account_impersonation_url\":\"$/v1/projects/-/serviceAccounts/a:generateAccessToken\"}",
         "\"token_lifetime_seconds\" must be"},
    };
    check_files(*state, cases, sizeof cases / sizeof *cases);
}

/* A hostile file must not redirect secrets to another host. */
static void test_hosts(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *url, *says;
    } cases[] = {
        {"https://evil.example/token", "under googleapis.com only, not to evil.example"},
        {"https://googleapis.com.evil.example/token", "not to googleapis.com.evil.example"},
        {"https://notgoogleapis.com/token", "not to notgoogleapis.com"},
        {"https://evil.example/?x=.googleapis.com", "not to evil.example"},
        {"http://oauth2.googleapis.com/token", "over https only, not to http://oauth2.googleapis.com"},
        {"http://169.254.169.254/token", "over https only"},
        {"https://oauth2.googleapis.com@evil.example/", "a user"},
        {"//evil.example/", "not an https:// or http:// URL"},
        {"https://", "URL"},
        {"https://a b/", "space"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        const struct bad_file files[] = {{text, cases[i].says}};
        snprintf(text, sizeof text, SA("\"private_key\":\"^\",\"token_uri\":\"%s\""), cases[i].url);
        check_files(rig, files, 1);
        snprintf(text, sizeof text,
                 "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\","
                 "\"credential_source\":"
                 "{\"file\":\"f\"},\"token_url\":\"%s\"}",
                 cases[i].url);
        check_files(rig, files, 1);
        snprintf(text, sizeof text,
                 "{\"type\":\"impersonated_service_account\",\"source_credentials\":{" USER "},"
                 "\"service_account_impersonation_url\":\"%s\"}",
                 cases[i].url);
        check_files(rig, files, 1);
    }
    rig->env.token = "https://evil.example/oauth"; /* unless the user allows it */
    rig_write(rig, SA("\"private_key\":\"^\",\"token_uri\":\"https://evil.example/token\""));
    assert_int_equal(rig_open(rig, NULL), 0);
}

static void test_unreadable(void **state)
{
    struct rig *rig = *state;
    char path[256];
    assert_int_equal(rig_open(rig, NULL), -1); /* missing */
    assert_int_equal(rig->err.kind, ERR_IO);
    assert_non_null(strstr(rig->err.text, "GOOGLE_APPLICATION_CREDENTIALS: credentials: open "));
    rig->env.application_credentials = rig->dir;
    assert_int_equal(rig_open(rig, NULL), -1);
    assert_non_null(strstr(rig->err.text, "is not a regular file"));
    rig->env.application_credentials = "/dev/zero";
    assert_int_equal(rig_open(rig, NULL), -1);
    snprintf(path, sizeof path, "%s/fifo", rig->dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    rig->env.application_credentials = path;
    assert_int_equal(rig_open(rig, NULL), -1); /* a FIFO: does not wait for a writer */
    rig->env.application_credentials = rig->path;
    cleanup_free char *large = calloc(1, (64 << 10) + 2);
    memset(large, ' ', (64 << 10) + 1);
    assert_int_equal(file_put(rig->path, large, (64 << 10) + 1, 0600, &rig->err), 0);
    assert_int_equal(rig_open(rig, NULL), -1);
    assert_int_equal(rig->err.kind, ERR_RECIPE);
    assert_non_null(strstr(rig->err.text, "too large for a credential file"));
}

static void test_token_files(void **state)
{
    struct rig *rig = *state;
    char path[128];
    static const char *const bad[] = {"", "\n", "two words", "a\nb\n", "a\x01", "\xff\xfe"};
    snprintf(path, sizeof path, "%s/token", rig->dir);
    assert_int_equal(rig_open(rig, path), 0);
    assert_string_equal(rig_token(rig), NO_TOKEN);
    assert_int_equal(rig->err.kind, ERR_IO);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(file_put(path, bad[i], strlen(bad[i]), 0600, &rig->err), 0);
        assert_int_equal(rig_open(rig, path), 0);
        assert_string_equal(rig_token(rig), NO_TOKEN);
        assert_int_equal(rig->err.kind, ERR_RECIPE);
        assert_non_null(strstr(rig->err.text, path));
    }
    cleanup_free char *large = malloc(TOKEN_MAX + 1);
    memset(large, 'a', TOKEN_MAX + 1);
    assert_int_equal(file_put(path, large, TOKEN_MAX + 1, 0600, &rig->err), 0);
    assert_int_equal(rig_open(rig, path), 0);
    assert_string_equal(rig_token(rig), NO_TOKEN);
}

/* The token endpoint refuses: the error names the account, the server, Google's reason, and what to do. */
static void refused(struct rig *rig, const char *file, const char *line, struct peer_reply reply,
                    const char *const says[3])
{
    if (file)
        rig_write(rig, file);
    rig->special[0] = (struct special){.line = line, .reply = reply};
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), NO_TOKEN);
    assert_int_equal(rig->err.kind, ERR_REMOTE);
    for (int i = 0; i < 3; i++)
        if (!strstr(rig->err.text, says[i]))
            fail_msg("\"%s\" is not in: %s", says[i], rig->err.text);
    says_no_secret(rig);
}

static void test_refused(void **state)
{
    struct rig *rig = *state;
    char host[64], subject[128];
    snprintf(host, sizeof host, "127.0.0.1:%u", rig->peer.port);
    snprintf(subject, sizeof subject, "%s/subject", rig->dir);
    rig_write_to(rig, subject, "secret-subject");
    refused(rig, SERVICE_ACCOUNT, "POST /token ",
            (struct peer_reply){
                .status = 400,
                .body = "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}"},
            (const char *const[]){rig->path, "/token: HTTP 400: invalid_grant: Invalid JWT Signature.",
                                  "create a new key"});
    refused(
        rig, "{" USER "}", "POST /token ",
        (struct peer_reply){
            .status = 400,
            .body =
                "{\"error\":\"invalid_grant\",\"error_description\":\"Token has been expired or revoked.\"}"},
        (const char *const[]){"credentials: user (", "Token has been expired or revoked.",
                              "gcloud auth application-default login"});
    refused(
        rig, "{" USER "}", "POST /token ",
        (struct peer_reply){.status = 401,
                            .body = "{\"error\":\"invalid_client\",\"error_description\":\"Unauthorized\"}"},
        (const char *const[]){rig->path, "HTTP 401: invalid_client", "log in again"});
    refused(
        rig, EA("{\"file\":\"~/subject\"}"), "POST /sts/v1/token ",
        (struct peer_reply){
            .status = 400,
            .body = "{\"error\":\"invalid_grant\",\"error_description\":\"The credential has expired.\"}"},
        (const char *const[]){"workload identity " POOL, "The credential has expired.",
                              "provider's token is fresh"});
    refused(rig, EA("{\"url\":\"$/subject?key=secret-q\"}"), "GET /subject?",
            (struct peer_reply){.status = 403, .body = "no"},
            (const char *const[]){"subject token: HTTP 403", rig->path, "provider's token is fresh"});
    refused(rig,
            "{\"type\":\"impersonated_service_account\",\"source_credentials\":{" USER
            "},\"service_account_impersonation_url\":"
            "\"$/v1/projects/-/serviceAccounts/t@p:generateAccessToken\"}",
            "POST /v1/projects/",
            (struct peer_reply){.status = 403,
                                .body =
                                    "{\"error\":{\"code\":403,\"message\":\"Permission "
                                    "'iam.serviceAccounts.getAccessToken' denied on "
                                    "resource (or it may not exist).\",\"status\":\"PERMISSION_DENIED\"}}"},
            (const char *const[]){"service account t@p by way of user", "PERMISSION_DENIED: Permission 'iam.",
                                  "roles/iam.serviceAccountTokenCreator"});
    rig->env = (struct cloud_env){.metadata_host = host};
    refused(
        rig, NULL, "GET /computeMetadata/v1/instance/service-accounts/default/token?",
        (struct peer_reply){.status = 403, .headers = "Metadata-Flavor: Google\r\n", .body = "no scopes"},
        (const char *const[]){"this machine's service account sa@", "HTTP 403: no scopes", "access scopes"});
}

/* A server may repeat what it received, as some proxies' error pages do. */
static void test_echoed_secrets(void **state)
{
    struct rig *rig = *state;
    static const char *const bodies[] = {
        "{\"error\":\"invalid_grant\",\"error_description\":\"bad token 1//rt-secret-2 given\"}",
        "{\"error\":\"csec-secret-1\"}", "refused: ...client_secret=csec-secret-1"};
    rig_write(rig, "{" USER "}");
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        rig->special[0] =
            (struct special){.line = "POST /token ", .reply = {.status = 400, .body = bodies[i]}};
        assert_int_equal(rig_open(rig, NULL), 0);
        assert_string_equal(rig_token(rig), NO_TOKEN);
        assert_non_null(strstr(rig->err.text, "HTTP 400"));
        says_no_secret(rig);
    }
}

static void test_bad_answers(void **state)
{
    struct rig *rig = *state;
    static const char *const bodies[] = {"",
                                         "not JSON",
                                         "[]",
                                         "{}",
                                         "{\"access_token\":\"\"}",
                                         "{\"access_token\":7}",
                                         "{\"access_token\":\"a b\"}",
                                         "{\"access_token\":\"a\\r\\nX: 1\"}",
                                         "{\"access_token\":\"a\",\"access_token\":\"b\"}",
                                         "{\"access_token\":\"secret-x\xff\"}",
                                         "<html>login</html>"};
    rig_write(rig, "{" USER "}");
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        rig->special[0] =
            (struct special){.line = "POST /token ", .reply = {.status = 200, .body = bodies[i]}};
        assert_int_equal(rig_open(rig, NULL), 0);
        assert_string_equal(rig_token(rig), NO_TOKEN);
        assert_int_equal(rig->err.kind, ERR_REMOTE);
        says_no_secret(rig);
    }
    cleanup_free char *large = malloc(TOKEN_ANSWER_MAX + 2);
    memset(large, 'a', TOKEN_ANSWER_MAX + 1);
    large[TOKEN_ANSWER_MAX + 1] = '\0';
    rig->special[0] = (struct special){.line = "POST /token ", .reply = {.status = 200, .body = large}};
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), NO_TOKEN);
    assert_int_equal(rig->err.kind, ERR_REMOTE);
}

static void test_expire_time(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want; /* -1: none */
    } cases[] = {{"2023-11-14T22:13:20Z", 1700000000},
                 {"2023-11-14T22:13:20.123456789Z", 1700000000},
                 {"2023-11-14T23:13:20+01:00", 1700000000},
                 {"2023-11-14T16:43:20-05:30", 1700000000},
                 {"2024-02-29T00:00:00Z", 1709164800},
                 {"2023-11-14 22:13:20Z", -1},
                 {"2023-11-14T22:13:20", -1},
                 {"2023-13-14T22:13:20Z", -1},
                 {"2023-11-14T22:13:20+1:00", -1},
                 {"2023-11-14T22:13:20+aa:bb", -1},
                 {"2023-11-14T22:13:20Z ", -1},
                 {"+023-11-14T22:13:20Z", -1},
                 {"", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t at = -1;
        assert_int_equal(token_time_read(cases[i].text, &at), cases[i].want >= 0);
        assert_int_equal(at, cases[i].want);
    }
    struct token token = {0};
    struct err err;
    static const char late[] = "{\"accessToken\":\"a\",\"expireTime\":\"2023-11-14T22:13:20Z\"}";
    assert_int_equal(token_answer_iam(late, strlen(late), "iam", 1700000000, &token, &err), -1);
    assert_non_null(strstr(err.text, "is this machine's clock right?"));
    assert_int_equal(token_answer_iam(late, strlen(late), "iam", 1700000000 - 100, &token, &err), 0);
    assert_int_equal(token.lifetime_s, 100);
    token_free(&token);
}

static void test_no_metadata_server(void **state)
{
    struct rig *rig = *state;
    char host[64];
    snprintf(host, sizeof host, "127.0.0.1:%u", rig->peer.port);
    rig->env = (struct cloud_env){.metadata_host = host};
    rig->special[0] =
        (struct special){.line = "GET /computeMetadata/", .reply = {.status = 200, .body = "{}"}};
    assert_int_equal(rig_open(rig, NULL), -1); /* such as a login page */
    assert_int_equal(rig->err.kind, ERR_REMOTE);
    assert_non_null(strstr(rig->err.text, "lacks Metadata-Flavor"));
    rig->special[0].reply = (struct peer_reply){.status = 404, .headers = "Metadata-Flavor: Google\r\n"};
    assert_int_equal(rig_open(rig, NULL), -1);
    assert_non_null(strstr(rig->err.text, "this VM has no service account"));
    rig->special[0].line = NULL;
    assert_int_equal(rig_open(rig, NULL), 0);
    rig->special[0] =
        (struct special){.line = "GET /computeMetadata/",
                         .reply = {.status = 200, .body = "{\"access_token\":\"a\",\"expires_in\":9}"}};
    assert_string_equal(rig_token(rig), NO_TOKEN);
    assert_non_null(strstr(rig->err.text, "lacks Metadata-Flavor"));
    rig->env = (struct cloud_env){.metadata_host = "127.0.0.1:1"};
    assert_int_equal(rig_open(rig, NULL), -1);
    assert_int_equal(rig->err.kind, ERR_NETWORK);
}

static void test_bad_subject_tokens(void **state)
{
    struct rig *rig = *state;
    char subject[128];
    snprintf(subject, sizeof subject, "%s/subject", rig->dir);
    static const char json[] =
        EA("{\"file\":\"~/subject\",\"format\":{\"type\":\"json\",\"subject_token_field_name\":\"t\"}}");
    static const struct {
        const char *file, *text;
    } cases[] = {{EA("{\"file\":\"~/missing\"}"), "x"},
                 {EA("{\"file\":\"~/subject\"}"), ""},
                 {EA("{\"file\":\"~/subject\"}"), " \n"},
                 {json, "secret-1"},
                 {json, "{}"},
                 {json, "{\"t\":[\"secret-2\"]}"},
                 {json, "{\"t\":\"\"}"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rig_write(rig, cases[i].file);
        rig_write_to(rig, subject, cases[i].text);
        assert_int_equal(rig_open(rig, NULL), 0);
        assert_string_equal(rig_token(rig), NO_TOKEN);
        assert_non_null(strstr(rig->err.text, "subject token"));
        says_no_secret(rig);
    }
    assert_int_equal(peer_count(&rig->peer), 0);
    cleanup_free char *large = malloc((64 << 10) + 1);
    memset(large, 'a', (64 << 10) + 1);
    assert_int_equal(file_put(subject, large, (64 << 10) + 1, 0600, &rig->err), 0);
    rig_write(rig, EA("{\"file\":\"~/subject\"}"));
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), NO_TOKEN);
    assert_non_null(strstr(rig->err.text, "too large for a token"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_rig(test_files),
        with_rig(test_external_files),
        with_rig(test_hosts),
        with_rig(test_unreadable),
        with_rig(test_token_files),
        with_rig(test_refused),
        with_rig(test_echoed_secrets),
        with_rig(test_bad_answers),
        with_rig(test_expire_time),
        with_rig(test_no_metadata_server),
        with_rig(test_bad_subject_tokens),
    };
    return cmocka_run_group_tests_name("cloud/bad credentials", tests, rig_group_setup, rig_group_teardown);
}
