/* Each kind of credentials, compared with the recorded requests of Google's own clients. */
#include "tests/unit/cloud/credentials_rig.h"

#include <cjson/cJSON.h>
#include <sodium.h>

/* Part NTH of the compact token, decoded. */
static size_t jwt_part(const char *jwt, unsigned nth, unsigned char *to, size_t room)
{
    size_t len = 0;
    for (; nth > 0; nth--)
        jwt = strchr(jwt, '.') + 1;
    assert_int_equal(sodium_base642bin(to, room, jwt, strcspn(jwt, "."), NULL, &len, NULL,
                                       sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                     0);
    return len;
}

static cJSON *jwt_json(const char *jwt, unsigned nth)
{
    char text[2048];
    size_t len = jwt_part(jwt, nth, (unsigned char *)text, sizeof text - 1);
    text[len] = '\0';
    cJSON *made = cJSON_Parse(text);
    assert_non_null(made);
    return made;
}

static void has_text(const cJSON *object, const char *key, const char *want)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    if (!want) {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    assert_string_equal(text, want);
}

static double number(const cJSON *object, const char *key)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static void check_signature(struct rig *rig, const char *jwt)
{
    unsigned char signature[512];
    size_t len = jwt_part(jwt, 2, signature, sizeof signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, rig->key), 1);
    assert_int_equal(
        EVP_DigestVerify(ctx, signature, len, (const unsigned char *)jwt, (size_t)(strrchr(jwt, '.') - jwt)),
        1);
    EVP_MD_CTX_free(ctx);
}

static void test_service_account(void **state)
{
    struct rig *rig = *state;
    rig_write(rig, SERVICE_ACCOUNT);
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_int_equal(peer_count(&rig->peer), 0); /* nothing is requested before it is needed */
    assert_string_equal(rig_token(rig), "ya29.0");
    assert_true(peer_has(&rig->peer, 0, "POST /token HTTP/1.1"));
    assert_true(peer_has(&rig->peer, 0, "Content-Type: application/x-www-form-urlencoded"));
    rig_form_is(rig, 0, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    cleanup_free char *jwt = peer_form(&rig->peer, 0, "assertion");
    assert_non_null(jwt);
    cJSON *header = jwt_json(jwt, 0), *claims = jwt_json(jwt, 1);
    has_text(header, "alg", "RS256");
    has_text(header, "typ", "JWT");
    has_text(header, "kid", "kid1");
    assert_int_equal(cJSON_GetArraySize(header), 3);
    has_text(claims, "iss", "sa@test-project.iam.gserviceaccount.com");
    has_text(claims, "scope", SCOPE);
    has_text(claims, "aud", "https://oauth2.googleapis.com/token"); /* not the URL it was sent to */
    assert_true(number(claims, "iat") == 1700000000);
    assert_true(number(claims, "exp") == 1700003600);
    assert_int_equal(cJSON_GetArraySize(claims), 5);
    check_signature(rig, jwt);
    cJSON_Delete(header);
    cJSON_Delete(claims);
    assert_string_equal(credentials_project(rig->credentials), "test-project");
    assert_non_null(strstr(credentials_who(rig->credentials),
                           "service account sa@test-project.iam.gserviceaccount.com ("));
}

/* Other universes have no token endpoint for keys: the signed text is the token (AIP-4111). */
static void test_service_account_of_another_universe(void **state)
{
    struct rig *rig = *state;
    rig_write(rig,
              "{\"type\":\"service_account\",\"universe_domain\":\"apis-tpclp.goog\",\"private_key\":\"^\","
              "\"client_email\":\"sa@x\",\"token_uri\":\"https://oauth2.apis-tpclp.goog/token\"}");
    assert_int_equal(rig_open(rig, NULL), 0);
    const char *jwt = rig_token(rig);
    cJSON *claims = jwt_json(jwt, 1), *header = jwt_json(jwt, 0);
    has_text(claims, "iss", "sa@x");
    has_text(claims, "sub", "sa@x");
    has_text(claims, "scope", SCOPE);
    has_text(claims, "aud", NULL);
    has_text(header, "kid", NULL);
    check_signature(rig, jwt);
    cJSON_Delete(claims);
    cJSON_Delete(header);
    assert_int_equal(peer_count(&rig->peer), 0);
    assert_string_equal(credentials_endpoints(rig->credentials)->storage,
                        "https://storage.apis-tpclp.goog/storage/v1");
}

/* This machine's clock is two hours ahead: the server refuses, and the time of its Date header is used. */
static void test_clock_that_is_off(void **state)
{
    struct rig *rig = *state;
    rig_write(rig, SERVICE_ACCOUNT);
    rig->special[0] = (struct special){
        .line = "POST /token ",
        .times = 1,
        .reply = {
            .status = 400,
            .headers = "Date: Tue, 14 Nov 2023 20:13:20 GMT\r\n",
            .body =
                "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT: Token must be a "
                "short-lived "
                "token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT "
                "claim.\"}"}};
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), "ya29.1");
    cleanup_free char *jwt = peer_form(&rig->peer, 1, "assertion");
    cJSON *claims = jwt_json(jwt, 1);
    assert_true(number(claims, "iat") == 1700000000 - 7200);
    cJSON_Delete(claims);
    assert_non_null(strstr(rig->said, "warning: this machine's clock is 7200 s ahead of the clock of"));
}

static void test_authorized_user(void **state)
{
    struct rig *rig = *state;
    rig_write(rig, "{" USER ",\"quota_project_id\":\"quota-proj\",\"account\":\"\"}");
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), "ya29.0");
    assert_true(peer_has(&rig->peer, 0, "POST /token HTTP/1.1"));
    assert_true(peer_has(&rig->peer, 0, "Content-Type: application/x-www-form-urlencoded"));
    assert_string_equal(rig->peer.requests[0].body,
                        "grant_type=refresh_token&client_id=cid&client_secret=csec-secret-1&"
                        "refresh_token=1%2F%2Frt-secret-2");
    assert_string_equal(credentials_quota_project(rig->credentials), "quota-proj");
    assert_null(credentials_project(rig->credentials));
}

static void test_metadata_server(void **state)
{
    struct rig *rig = *state;
    char host[64];
    snprintf(host, sizeof host, "127.0.0.1:%u", rig->peer.port);
    rig->env = (struct cloud_env){.metadata_host = host};
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), "ya29.META");
    unsigned last = peer_count(&rig->peer) - 1;
    assert_true(peer_has(&rig->peer, last,
                         "GET /computeMetadata/v1/instance/service-accounts/default/token?scopes="
                         "https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform HTTP/1.1"));
    for (unsigned i = 0; i <= last; i++)
        assert_true(peer_has(&rig->peer, i, "Metadata-Flavor: Google"));
    assert_string_equal(credentials_project(rig->credentials), "test-project");
    assert_non_null(strstr(credentials_who(rig->credentials), "sa@test-project.iam.gserviceaccount.com"));
}

static void check_exchange(struct rig *rig, unsigned nth, const char *subject)
{
    assert_true(peer_has(&rig->peer, nth, "POST /sts/v1/token HTTP/1.1"));
    assert_true(peer_has(&rig->peer, nth, "Content-Type: application/x-www-form-urlencoded"));
    rig_form_is(rig, nth, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
    rig_form_is(rig, nth, "audience", POOL);
    rig_form_is(rig, nth, "scope", SCOPE);
    rig_form_is(rig, nth, "requested_token_type", "urn:ietf:params:oauth:token-type:access_token");
    rig_form_is(rig, nth, "subject_token", subject);
    rig_form_is(rig, nth, "subject_token_type", "urn:ietf:params:oauth:token-type:jwt");
    rig_form_is(rig, nth, "options", NULL);
}

/* The file is read again for each token: it may be rotated while the process runs. */
static void test_external_file(void **state)
{
    struct rig *rig = *state;
    char subject[128];
    snprintf(subject, sizeof subject, "%s/subject", rig->dir);
    rig_write(rig, "{" EXTERNAL ",\"credential_source\":{\"file\":\"~/subject\"}}");
    rig_write_to(rig, subject, "SUBJECT-FILE\n");
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), "ya29.0");
    check_exchange(rig, 0, "SUBJECT-FILE");
    assert_false(strstr(rig->peer.requests[0].head, "Authorization") != NULL);
    rig_write_to(rig, subject, "SUBJECT-NEXT");
    rig->clock.now_ms += 3600 * 1000;
    assert_string_equal(rig_token(rig), "ya29.1");
    check_exchange(rig, 1, "SUBJECT-NEXT");
}

static void test_external_url_with_impersonation(void **state)
{
    struct rig *rig = *state;
    rig_write(rig, "{" EXTERNAL ",\"credential_source\":{\"url\":\"$/subject\",\"headers\":{\"x-my\":\"1\"},"
                   "\"format\":{\"type\":\"json\",\"subject_token_field_name\":\"tok\"}},"
                   "\"service_account_impersonation_url\":\"$/v1/projects/-/serviceAccounts/"
                   "sa@test-project.iam.gserviceaccount.com:generateAccessToken\","
                   "\"service_account_impersonation\":{\"token_lifetime_seconds\":1800}}");
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), "ya29.IMPERSONATED");
    assert_true(peer_has(&rig->peer, 0, "GET /subject HTTP/1.1"));
    assert_true(peer_has(&rig->peer, 0, "x-my: 1"));
    check_exchange(rig, 1, "SUBJECT-URL");
    assert_true(peer_has(&rig->peer, 2,
                         "POST /v1/projects/-/serviceAccounts/"
                         "sa@test-project.iam.gserviceaccount.com:generateAccessToken HTTP/1.1"));
    assert_true(peer_has(&rig->peer, 2, "Authorization: Bearer ya29.1"));
    assert_true(peer_has(&rig->peer, 2, "Content-Type: application/json"));
    assert_string_equal(rig->peer.requests[2].body, "{\"scope\":[\"" SCOPE "\"],\"lifetime\":\"1800s\"}");
    assert_int_equal(peer_count(&rig->peer), 3);
}

static void test_external_client_and_workforce(void **state)
{
    struct rig *rig = *state;
    char subject[128];
    snprintf(subject, sizeof subject, "%s/subject", rig->dir);
    rig_write_to(rig, subject, "{\"id_token\":\"T\"}");
    rig_write(
        rig,
        "{" EXTERNAL ",\"client_id\":\"id\",\"client_secret\":\"se:cret\",\"credential_source\":"
        "{\"file\":\"~/subject\",\"format\":{\"type\":\"json\",\"subject_token_field_name\":\"id_token\"}}}");
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), "ya29.0");
    check_exchange(rig, 0, "T");
    assert_true(peer_has(&rig->peer, 0, "Authorization: Basic aWQ6c2U6Y3JldA=="));
    rig_write_to(rig, subject, "T2");
    rig_write(rig, "{" EXTERNAL
                   ",\"workforce_pool_user_project\":\"p1\",\"credential_source\":{\"file\":\"~/subject\"}}");
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), "ya29.1");
    rig_form_is(rig, 1, "options", "{\"userProject\":\"p1\"}");
}

#define IMPERSONATED(source, more)                                                                           \
    "{\"type\":\"impersonated_service_account\",\"service_account_impersonation_url\":"                      \
    "\"$/v1/projects/-/serviceAccounts/target@test-project.iam.gserviceaccount.com:generateAccessToken\","   \
    "\"source_credentials\":" source more "}"

static void test_impersonated_by_user(void **state)
{
    struct rig *rig = *state;
    rig_write(rig, IMPERSONATED("{" USER "}", ",\"delegates\":[\"d@test-project.iam.gserviceaccount.com\"],"
                                              "\"quota_project_id\":\"quota-proj\""));
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), "ya29.IMPERSONATED");
    assert_true(peer_has(&rig->peer, 0, "POST /token HTTP/1.1"));
    rig_form_is(rig, 0, "refresh_token", "1//rt-secret-2");
    assert_true(peer_has(&rig->peer, 1,
                         "POST /v1/projects/-/serviceAccounts/"
                         "target@test-project.iam.gserviceaccount.com:generateAccessToken HTTP/1.1"));
    assert_true(peer_has(&rig->peer, 1, "Authorization: Bearer ya29.0"));
    assert_true(peer_has(&rig->peer, 1, "x-goog-user-project: quota-proj"));
    assert_true(peer_has(&rig->peer, 1, "Content-Type: application/json"));
    assert_string_equal(rig->peer.requests[1].body,
                        "{\"delegates\":[\"d@test-project.iam.gserviceaccount.com\"],\"scope\":["
                        "\"" SCOPE "\"],\"lifetime\":\"3600s\"}");
    assert_non_null(strstr(credentials_who(rig->credentials),
                           "service account target@test-project.iam.gserviceaccount.com by way of user"));
}

static void test_impersonated_by_service_account(void **state)
{
    struct rig *rig = *state;
    rig_write(rig, IMPERSONATED(SERVICE_ACCOUNT, ",\"delegates\":null"));
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), "ya29.IMPERSONATED");
    rig_form_is(rig, 0, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert_string_equal(rig->peer.requests[1].body, "{\"scope\":[\"" SCOPE "\"],\"lifetime\":\"3600s\"}");
}

/* The environment's overrides take precedence over the files, as in gcloud. */
static void test_overrides(void **state)
{
    struct rig *rig = *state;
    char url[64], sts[64], iam[64], subject[128];
    snprintf(url, sizeof url, "%s/token", rig->peer.url);
    snprintf(sts, sizeof sts, "%s/sts/", rig->peer.url);
    snprintf(iam, sizeof iam, "%s/", rig->peer.url);
    snprintf(subject, sizeof subject, "%s/subject", rig->dir);
    rig->env.token = url;
    rig->env.sts = sts;
    rig->env.iamcredentials = iam;
    rig_write(rig, "{\"type\":\"authorized_user\",\"client_id\":\"cid\",\"client_secret\":\"csec\",\"refresh_"
                   "token\":\"r\"}");
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), "ya29.0");
    rig_write_to(rig, subject, "S");
    rig_write(
        rig,
        "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\",\"credential_"
        "source\":{\"file\":\"~/subject\"},"
        "\"token_url\":\"https://sts.googleapis.com/v1/token\",\"service_account_impersonation_url\":"
        "\"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/t@p:generateAccessToken\"}");
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), "ya29.IMPERSONATED");
    assert_true(peer_has(&rig->peer, 1, "POST /sts/v1/token HTTP/1.1"));
    assert_true(
        peer_has(&rig->peer, 2, "POST /v1/projects/-/serviceAccounts/t@p:generateAccessToken HTTP/1.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_rig(test_service_account),
        with_rig(test_service_account_of_another_universe),
        with_rig(test_clock_that_is_off),
        with_rig(test_authorized_user),
        with_rig(test_metadata_server),
        with_rig(test_external_file),
        with_rig(test_external_url_with_impersonation),
        with_rig(test_external_client_and_workforce),
        with_rig(test_impersonated_by_user),
        with_rig(test_impersonated_by_service_account),
        with_rig(test_overrides),
    };
    return cmocka_run_group_tests_name("cloud/token kinds", tests, rig_group_setup, rig_group_teardown);
}
