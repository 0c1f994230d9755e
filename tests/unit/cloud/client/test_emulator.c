/* All kinds of credentials against the emulator, which checks signatures, secrets, audiences and expiry:
 * buckets are listed, then every token is revoked, and they are listed again. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cloud/client/client.h"

struct emulator {
    char dir[64], url[80], host[64];
    pid_t pid;
    struct http *http;
    struct cloud_env env;
    char said[4096];
    struct run run;
    struct credentials *credentials;
    struct err err;
};

static void record_event(void *ctx, const struct event *event)
{
    struct emulator *e = ctx;
    if (event->kind == EVENT_WARN)
        snprintf(e->said, sizeof e->said, "%s", event->what);
}

static void start(struct emulator *e)
{
    char state[96], folder[96];
    unsigned port = 0;
    int pipes[2];
    snprintf(state, sizeof state, "%s/state", e->dir);
    snprintf(folder, sizeof folder, "%s/credentials", e->dir);
    assert_int_equal(pipe(pipes), 0);
    e->pid = fork();
    assert_true(e->pid >= 0);
    if (e->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(pipes[1], STDOUT_FILENO);
        execl("tests/support/gcp/emulator", "emulator", "--listen", "127.0.0.1:0", "--state", state,
              "--credentials", folder, "--auth-required", (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    FILE *out = fdopen(pipes[0], "r");
    assert_non_null(out);
    assert_int_equal(fscanf(out, "ready %u", &port), 1);
    fclose(out);
    snprintf(e->host, sizeof e->host, "127.0.0.1:%u", port);
    snprintf(e->url, sizeof e->url, "http://%s", e->host);
}

static int setup(void **state)
{
    struct emulator *e = calloc(1, sizeof *e);
    assert_non_null(e);
    snprintf(e->dir, sizeof e->dir, "/tmp/bake-emulator-XXXXXX");
    assert_non_null(mkdtemp(e->dir));
    start(e);
    assert_int_equal(http_new(NULL, &e->http, &e->err), 0);
    e->run = (struct run){.on_event = record_event, .ctx = e};
    *state = e;
    return 0;
}

static int teardown(void **state)
{
    struct emulator *e = *state;
    char command[128];
    http_free(e->http);
    kill(e->pid, SIGTERM);
    waitpid(e->pid, NULL, 0);
    snprintf(command, sizeof command, "rm -rf '%s'", e->dir);
    free(e);
    return system(command);
}

/* A request to the emulator's control interface; JSON may be NULL. */
static void control(struct emulator *e, const char *path, const char *json)
{
    char url[128];
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    const struct http_header type = {"Content-Type", "application/json"};
    snprintf(url, sizeof url, "%s/_control/%s", e->url, path);
    struct http_request req = {.method = "POST",
                               .url = url,
                               .headers = &type,
                               .header_count = 1,
                               .body = json ? HTTP_MEMORY : HTTP_NO_BODY,
                               .memory = json,
                               .len = json ? strlen(json) : 0};
    assert_int_equal(http_exchange(e->http, &req, NULL, &answer, &e->err), 0);
    if (answer.status != 200)
        fail_msg("%s: %s", path, answer.body.data);
}

/* FILE of the emulator's credentials; "access-token" is a token file, " stands for the metadata server. */
static int open_as(struct emulator *e, const char *file)
{
    char path[160];
    bool token = strcmp(file, "access-token") == 0;
    snprintf(path, sizeof path, "%s/credentials/%s", e->dir, file);
    e->env = (struct cloud_env){.application_credentials = file[0] ? path : NULL, .metadata_host = e->host};
    struct credentials_options options = {.token_file = token ? path : NULL, .env = &e->env};
    credentials_free(e->credentials);
    e->credentials = NULL;
    e->said[0] = '\0';
    return credentials_open(&options, e->http, &e->run, &e->credentials, &e->err);
}

static int list(struct emulator *e, int *ret_status)
{
    char url[128];
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    struct client client = {.http = e->http, .credentials = e->credentials};
    snprintf(url, sizeof url, "%s/storage/v1/b?project=test-project", e->url);
    struct http_request req = {.method = "GET", .url = url, .what = "list of buckets"};
    if (client_call(&client, &req, &e->run, &answer, &e->err) < 0)
        return -1;
    *ret_status = answer.status;
    if (answer.status != 200)
        print_message("%s\n", answer.body.data);
    return 0;
}

static void asks(struct emulator *e)
{
    int status = 0;
    if (list(e, &status) < 0)
        fail_msg("%s", e->err.text);
    assert_int_equal(status, 200);
}

static const char *const files[] = {"service-account.json", "authorized-user.json", "external-file.json",
                                    "external-url.json",    "impersonated.json",    ""};

static void test_every_kind(void **state)
{
    struct emulator *e = *state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (open_as(e, files[i]) < 0)
            fail_msg("%s: %s", files[i], e->err.text);
        asks(e);
        control(e, "revoke", NULL);
        asks(e); /* with a new token */
        asks(e);
        assert_string_equal(e->said, "");
    }
}

static void test_a_token_file(void **state)
{
    struct emulator *e = *state;
    int status = 0;
    assert_int_equal(open_as(e, "access-token"), 0);
    asks(e);
    control(e, "revoke", NULL);
    assert_int_equal(list(e, &status), -1);
    assert_int_equal(e->err.kind, ERR_REMOTE);
    assert_non_null(strstr(e->err.text, "write a new one into the file"));
}

/* The provider's token is rotated, and the old one refused. */
static void test_subject_token_is_read_again(void **state)
{
    struct emulator *e = *state;
    assert_int_equal(open_as(e, "external-file.json"), 0);
    asks(e);
    control(e, "subject", NULL);
    control(e, "revoke", NULL);
    asks(e);
}

static void test_clock_that_is_off(void **state)
{
    struct emulator *e = *state;
    static const char *const offsets[] = {"{\"clock_offset\":-7200}", "{\"clock_offset\":7200}"};
    for (size_t i = 0; i < 2; i++) {
        control(e, "config", offsets[i]);
        assert_int_equal(open_as(e, "service-account.json"), 0);
        asks(e);
        assert_non_null(strstr(e->said, i ? " s behind the clock of " : " s ahead of the clock of "));
    }
    control(e, "config", "{\"clock_offset\":0}");
}

static void test_refused(void **state)
{
    struct emulator *e = *state;
    int status = 0;
    control(e, "config", "{\"deny\":[{\"permission\":\"iam.serviceAccounts.getAccessToken\"}]}");
    assert_int_equal(open_as(e, "impersonated.json"), 0);
    assert_int_equal(list(e, &status), -1);
    assert_int_equal(e->err.kind, ERR_REMOTE);
    assert_non_null(strstr(e->err.text, "Permission 'iam.serviceAccounts.getAccessToken' denied"));
    assert_non_null(strstr(e->err.text, "roles/iam.serviceAccountTokenCreator"));
    control(e, "config", "{\"deny\":[],\"metadata_flavor\":false}");
    assert_int_equal(open_as(e, ""), -1);
    assert_non_null(strstr(e->err.text, "lacks Metadata-Flavor"));
    control(e, "config", "{\"metadata_flavor\":true}");
    credentials_free(e->credentials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_file), /* before anything revokes it */
        cmocka_unit_test(test_every_kind),        cmocka_unit_test(test_subject_token_is_read_again),
        cmocka_unit_test(test_clock_that_is_off), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests_name("cloud/emulator", tests, setup, teardown);
}
