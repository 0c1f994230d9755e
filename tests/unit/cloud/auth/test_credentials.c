/* Where credentials are found, how long a token is cached, and the client that uses them. */
#include "tests/unit/cloud/credentials_rig.h"

#include "cloud/client/client.h"

static void test_order(void **state)
{
    struct rig *rig = *state;
    char file[128], adc[256], folder[160], host[64];
    snprintf(file, sizeof file, "%s/token", rig->dir);
    snprintf(folder, sizeof folder, "%s/.config/gcloud", rig->dir);
    snprintf(adc, sizeof adc, "%s/application_default_credentials.json", folder);
    snprintf(host, sizeof host, "127.0.0.1:%u", rig->peer.port);
    assert_int_equal(file_mkdirs(folder, 0700, &rig->err), 0);
    rig_write_to(rig, file, "ya29.FROM-FILE\r\n");
    rig_write(rig, SERVICE_ACCOUNT);
    rig_write_to(rig, adc, "{" USER "}");
    rig->env.metadata_host = host;

    assert_int_equal(rig_open(rig, file), 0);
    assert_string_equal(rig_token(rig), "ya29.FROM-FILE");
    assert_int_equal(peer_count(&rig->peer), 0);
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_non_null(strstr(credentials_who(rig->credentials), "service account"));
    rig->env.application_credentials = NULL;
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_non_null(strstr(credentials_who(rig->credentials), "user"));
    assert_non_null(strstr(credentials_who(rig->credentials), adc));
    rig->env.home = NULL; /* and by CLOUDSDK_CONFIG */
    rig->env.cloudsdk_config = folder;
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_non_null(strstr(credentials_who(rig->credentials), "user"));
    rig->env.cloudsdk_config = rig->dir; /* without credentials in it */
    rig->env.home = rig->dir;            /* not looked at then */
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_non_null(strstr(credentials_who(rig->credentials), "this machine's service account"));
    unsigned asked = peer_count(&rig->peer);
    rig->env.no_gce_check = "True";
    assert_int_equal(rig_open(rig, NULL), -1);
    assert_int_equal(rig->err.kind, ERR_USAGE);
    assert_non_null(strstr(rig->err.text, "there are no Google credentials"));
    assert_int_equal(peer_count(&rig->peer), asked);
}

static void test_a_token_is_kept_until_shortly_before_it_expires(void **state)
{
    struct rig *rig = *state;
    rig_write(rig, "{" USER "}");
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), "ya29.0");
    rig->clock.now_ms += (3599 - 225) * 1000 - 1;
    assert_string_equal(rig_token(rig), "ya29.0");
    rig->clock.now_ms += 1;
    assert_string_equal(rig_token(rig), "ya29.1");
    assert_int_equal(peer_count(&rig->peer), 2);
}

static void test_expires_in(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *value;
        int64_t kept_s; /* until it is renewed; 0: refused */
    } cases[] = {
        {"\"3600\"", 3375}, {"100", 75},  {"1.5", 1},    {"null", 3375},        {"999999999999", 42975},
        {"0", 0},           {"-1", 0},    {"\"\"", 0},   {"\"1h\"", 0},         {"true", 0},
        {"[]", 0},          {"1e300", 0}, {"\"-5\"", 0}, {"\"99999999999\"", 0}};
    rig_write(rig, "{" USER "}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"access_token\":\"T\",\"expires_in\":%s}", cases[i].value);
        rig->special[0] = (struct special){.line = "POST /token ", .reply = {.status = 200, .body = body}};
        assert_int_equal(rig_open(rig, NULL), 0);
        unsigned before = peer_count(&rig->peer);
        assert_string_equal(rig_token(rig), cases[i].kept_s ? "T" : NO_TOKEN);
        if (!cases[i].kept_s) {
            assert_int_equal(rig->err.kind, ERR_REMOTE);
            continue;
        }
        rig->clock.now_ms += cases[i].kept_s * 1000 - 1;
        assert_string_equal(rig_token(rig), "T");
        assert_int_equal(peer_count(&rig->peer), before + 1);
        rig->clock.now_ms += 1000;
        assert_string_equal(rig_token(rig), "T");
        assert_int_equal(peer_count(&rig->peer), before + 2);
    }
}

/* When the token endpoint is unreachable, the current token is used until it expires. */
static void test_renewal_fails_for_a_while(void **state)
{
    struct rig *rig = *state;
    rig_write(rig, "{" USER "}");
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), "ya29.0");
    rig->special[0] = (struct special){.line = "POST /token ", .reply = {.status = 0}};
    rig->clock.now_ms += 3400 * 1000;
    assert_string_equal(rig_token(rig), "ya29.0");
    assert_non_null(strstr(rig->said, "the current token is good for another 199 s"));
    rig->clock.now_ms += 180 * 1000;
    assert_string_equal(rig_token(rig), NO_TOKEN);
    assert_int_equal(rig->err.kind, ERR_NETWORK);
    assert_non_null(strstr(rig->err.text, "gave up after 3 attempts"));
    rig->special[0].line = NULL;
    assert_int_not_equal(strcmp(rig_token(rig), NO_TOKEN), 0);
}

static void test_token_requests_are_retried(void **state)
{
    struct rig *rig = *state;
    rig_write(rig, "{" USER "}");
    rig->special[0] = (struct special){
        .line = "POST /token ", .times = 1, .reply = {.status = 503, .headers = "Retry-After: 9\r\n"}};
    rig->special[1] = (struct special){.line = "POST /token ", .times = 1, .reply = {.reset = true}};
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(rig_token(rig), "ya29.2");
    assert_int_equal(rig->clock.slept[0], 9000);
    assert_int_equal(rig->clock.sleeps, 2);
}

enum { THREADS = 8 };

static void *take(void *ctx)
{
    struct rig *rig = ctx;
    struct err err;
    struct access_token token = {0};
    assert_int_equal(credentials_token(rig->credentials, NULL, &token, &err), 0);
    assert_string_equal(token.text, "ya29.0");
    access_token_free(&token);
    return NULL;
}

static void *renew(void *ctx)
{
    struct rig *rig = ctx;
    struct err err;
    char text[] = "ya29.0";
    struct access_token refused = {text}, token = {0};
    assert_int_equal(credentials_renew(rig->credentials, &refused, NULL, &token, &err), 0);
    assert_string_equal(token.text, "ya29.1");
    access_token_free(&token);
    return NULL;
}

static void in_threads(struct rig *rig, void *(*work)(void *))
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, rig), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* However many threads need a token at once, or were refused the same one, one request is sent. */
static void test_threads_share_a_token(void **state)
{
    struct rig *rig = *state;
    rig_write(rig, "{" USER "}");
    assert_int_equal(rig_open(rig, NULL), 0);
    in_threads(rig, take);
    assert_int_equal(peer_count(&rig->peer), 1);
    in_threads(rig, renew);
    assert_int_equal(peer_count(&rig->peer), 2);
}

static struct client client_of(struct rig *rig)
{
    return (struct client){.http = rig->http,
                           .credentials = rig->credentials,
                           .retry = {.attempts = 4},
                           .clock = &rig->clock.source};
}

static int call(struct rig *rig, struct http_answer *answer)
{
    char url[96];
    struct client client = client_of(rig);
    const struct http_header header = {"X-One", "1"};
    snprintf(url, sizeof url, "%s/storage", rig->peer.url);
    struct http_request req = {
        .method = "GET", .url = url, .what = "this request", .headers = &header, .header_count = 1};
    http_answer_free(answer);
    return client_call(&client, &req, &rig->run, answer, &rig->err);
}

static void test_client(void **state)
{
    struct rig *rig = *state;
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    rig_write(rig, "{" USER ",\"quota_project_id\":\"of-file\"}");
    rig->special[0] = (struct special){.line = "GET /storage ", .times = 1, .reply = {.status = 401}};
    rig->special[1] = (struct special){.line = "GET /storage ", .times = 2, .reply = {.status = 503}};
    rig->special[2] = (struct special){.line = "GET /storage ", .reply = {.status = 404, .body = "gone"}};
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_int_equal(call(rig, &answer), 0);
    assert_int_equal(answer.status, 404);
    assert_string_equal(answer.body.data, "gone");
    /* token, 401, token, 503, 503, 404 */
    assert_int_equal(peer_count(&rig->peer), 6);
    assert_true(peer_has(&rig->peer, 1, "Authorization: Bearer ya29.0"));
    assert_true(peer_has(&rig->peer, 3, "Authorization: Bearer ya29.2"));
    assert_true(peer_has(&rig->peer, 5, "Authorization: Bearer ya29.2"));
    assert_true(peer_has(&rig->peer, 5, "x-goog-user-project: of-file"));
    assert_true(peer_has(&rig->peer, 5, "X-One: 1"));
    rig->env.quota_project = "of-env";
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_int_equal(call(rig, &answer), 0);
    assert_true(peer_has(&rig->peer, 7, "x-goog-user-project: of-env"));
}

static void test_client_is_refused(void **state)
{
    struct rig *rig = *state;
    char file[128];
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    snprintf(file, sizeof file, "%s/token", rig->dir);
    rig_write(rig, "{" USER "}");
    rig->special[0] = (struct special){
        .line = "GET /storage ",
        .reply = {.status = 401, .body = "{\"error\":{\"message\":\"Invalid Credentials\"}}"}};
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_int_equal(call(rig, &answer), -1);
    assert_int_equal(rig->err.kind, ERR_REMOTE);
    assert_non_null(strstr(rig->err.text, "a new access token of user"));
    assert_non_null(strstr(rig->err.text, "this request: HTTP 401: Invalid Credentials"));
    assert_int_equal(peer_count(&rig->peer), 4); /* a token and an attempt, twice */

    rig_write_to(rig, file, "ya29.EXPIRED");
    assert_int_equal(rig_open(rig, file), 0);
    assert_int_equal(call(rig, &answer), -1);
    assert_int_equal(rig->err.kind, ERR_REMOTE);
    assert_non_null(strstr(rig->err.text, "there is no newer one; write a new one into the file"));
    assert_null(strstr(rig->err.text, "EXPIRED"));
    rig->special[0] = (struct special){.line = "GET /storage ", .times = 1, .reply = {.status = 401}};
    assert_int_equal(rig_open(rig, file), 0);
    assert_string_equal(rig_token(rig), "ya29.EXPIRED");
    rig_write_to(rig, file, "ya29.FRESH"); /* by another process */
    assert_int_equal(call(rig, &answer), 0);
    assert_true(peer_has(&rig->peer, peer_count(&rig->peer) - 1, "Authorization: Bearer ya29.FRESH"));
}

/* When token requests were given up on, the loop around them does not retry. */
static void test_no_token_no_second_loop(void **state)
{
    struct rig *rig = *state;
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    rig_write(rig, "{" USER "}");
    rig->special[0] = (struct special){.line = "POST /token ", .reply = {.status = 0}};
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_int_equal(call(rig, &answer), -1);
    assert_int_equal(rig->err.kind, ERR_NETWORK);
    assert_int_equal(peer_count(&rig->peer), 3);
}

static void test_universe(void **state)
{
    struct rig *rig = *state;
    rig_write(rig, SERVICE_ACCOUNT);
    rig->env.universe_domain = "apis-tpclp.goog";
    assert_int_equal(rig_open(rig, NULL), -1);
    assert_int_equal(rig->err.kind, ERR_USAGE);
    assert_non_null(strstr(rig->err.text, "belongs to the universe domain googleapis.com, but "
                                          "GOOGLE_CLOUD_UNIVERSE_DOMAIN is apis-tpclp.goog"));
    rig->env.universe_domain = "googleapis.com";
    assert_int_equal(rig_open(rig, NULL), 0);
    char host[64];
    snprintf(host, sizeof host, "127.0.0.1:%u", rig->peer.port);
    rig->special[0] = (struct special){
        .line = "GET /computeMetadata/v1/universe/",
        .reply = {.status = 200, .headers = "Metadata-Flavor: Google\r\n", .body = "apis-tpclp.goog"}};
    rig->env = (struct cloud_env){.metadata_host = host};
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_string_equal(credentials_endpoints(rig->credentials)->compute,
                        "https://compute.apis-tpclp.goog/compute/v1");
    rig->env.universe_domain = "googleapis.com";
    assert_int_equal(rig_open(rig, NULL), -1);
    assert_int_equal(rig->err.kind, ERR_USAGE);
}

static void test_others_can_read_it(void **state)
{
    struct rig *rig = *state;
    rig_write(rig, "{" USER "}");
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_null(strstr(rig->said, "warning"));
    assert_int_equal(chmod(rig->path, 0644), 0);
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_non_null(strstr(rig->said, "warning: "));
    assert_non_null(strstr(rig->said, "can be read or changed by others (mode 0644): run \"chmod 600 "));
    assert_null(strstr(rig->said, "secret"));
    rig->said[0] = '\0'; /* a file that only names the token's source may be readable by all */
    rig_write(rig, "{" EXTERNAL ",\"credential_source\":{\"file\":\"~/subject\"}}");
    assert_int_equal(chmod(rig->path, 0644), 0);
    assert_int_equal(rig_open(rig, NULL), 0);
    assert_null(strstr(rig->said, "warning"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_rig(test_order),
        with_rig(test_a_token_is_kept_until_shortly_before_it_expires),
        with_rig(test_expires_in),
        with_rig(test_renewal_fails_for_a_while),
        with_rig(test_token_requests_are_retried),
        with_rig(test_threads_share_a_token),
        with_rig(test_client),
        with_rig(test_client_is_refused),
        with_rig(test_no_token_no_second_loop),
        with_rig(test_universe),
        with_rig(test_others_can_read_it),
    };
    return cmocka_run_group_tests_name("cloud/credentials", tests, rig_group_setup, rig_group_teardown);
}
