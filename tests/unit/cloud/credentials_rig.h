/* A folder of credential files, and a peer that plays Google's token endpoints: it answers like the recorded
 * servers and records the requests. */
#ifndef BAKE_TESTS_UNIT_CLOUD_CREDENTIALS_RIG_H
#define BAKE_TESTS_UNIT_CLOUD_CREDENTIALS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/bio.h>
#include <openssl/pem.h>

#include "cloud/auth/credentials.h"
#include "tests/unit/http/fake_clock.h"
#include "io/file.h"
#include "tests/support/lib/peer.h"

#define SCOPE    "https://www.googleapis.com/auth/cloud-platform"
#define POOL     "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p/providers/q"
#define NO_TOKEN "no token"

enum { RIG_SPECIAL = 4 };

/* A reply to requests whose line begins so, instead of the usual one. */
struct special {
    const char *line;
    struct peer_reply reply;
    unsigned times; /* 0: always */
};

struct rig {
    char dir[64], path[128];
    struct peer peer;
    struct http *http;
    struct cloud_env env;
    struct fake_clock clock;
    struct run run;
    char said[8192]; /* warnings and notes */
    EVP_PKEY *key;
    char pem[4096]; /* with \n as two characters, as in JSON */
    struct special special[RIG_SPECIAL];
    char reply[256];
    struct credentials *credentials;
    struct access_token token;
    struct err err;
};

static void rig_tell(void *ctx, const struct event *event)
{
    struct rig *rig = ctx;
    size_t len = strlen(rig->said);
    if (event->kind == EVENT_WARN || event->kind == EVENT_NOTE)
        snprintf(rig->said + len, sizeof rig->said - len, "%s: %s\n",
                 event->kind == EVENT_WARN ? "warning" : "note", event->what);
}

static bool rig_begins(const struct peer_request *request, const char *line)
{
    return strncmp(request->head, line, strlen(line)) == 0;
}

static void rig_answer(void *ctx, unsigned nth, const struct peer_request *request, struct peer_reply *reply)
{
    struct rig *rig = ctx;
    for (size_t i = 0; i < RIG_SPECIAL; i++) {
        struct special *special = &rig->special[i];
        if (!special->line || !rig_begins(request, special->line))
            continue;
        *reply = special->reply;
        if (special->times && --special->times == 0)
            special->line = NULL;
        return;
    }
    reply->headers = "Content-Type: application/json\r\n";
    if (rig_begins(request, "POST /token ") || rig_begins(request, "POST /sts/v1/token ")) {
        snprintf(rig->reply, sizeof rig->reply,
                 "{\"access_token\": \"ya29.%u\", \"expires_in\": 3599, \"token_type\": \"Bearer\", "
                 "\"scope\": \"x\"}",
                 nth);
        reply->body = rig->reply;
    } else if (rig_begins(request, "POST /v1/projects/-/serviceAccounts/")) {
        reply->body = "{\"accessToken\": \"ya29.IMPERSONATED\", \"expireTime\": \"2030-01-01T00:00:00Z\"}";
    } else if (rig_begins(request, "GET /subject")) {
        reply->body = "{\"tok\": \"SUBJECT-URL\"}";
    } else if (rig_begins(request, "GET /computeMetadata/v1/")) {
        reply->headers = "Metadata-Flavor: Google\r\nServer: Metadata Server for VM\r\n";
        if (strstr(request->head, "/token?"))
            reply->body =
                "{\"access_token\": \"ya29.META\", \"expires_in\": 3599, \"token_type\": \"Bearer\"}";
        else if (strstr(request->head, "/default/?recursive=true"))
            reply->body =
                "{\"aliases\": [\"default\"], \"email\": \"sa@test-project.iam.gserviceaccount.com\", "
                "\"scopes\": [\"" SCOPE "\"]}";
        else
            reply->body = strstr(request->head, "/universe-domain") ? "googleapis.com" : "test-project";
    } else {
        reply->status = 404;
    }
}

static int rig_group_setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    rig->key = EVP_RSA_gen(2048);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    assert_int_equal(PEM_write_bio_PrivateKey(bio, rig->key, NULL, NULL, 0, NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &text);
    size_t out = 0;
    for (long i = 0; i < len; i++) {
        if (text[i] == '\n')
            rig->pem[out++] = '\\';
        rig->pem[out++] = text[i] == '\n' ? 'n' : text[i];
    }
    BIO_free(bio);
    *state = rig;
    return 0;
}

static int rig_group_teardown(void **state)
{
    struct rig *rig = *state;
    EVP_PKEY_free(rig->key);
    free(rig);
    return 0;
}

static int rig_setup(void **state)
{
    struct rig *rig = *state;
    snprintf(rig->dir, sizeof rig->dir, "/tmp/bake-credentials-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(rig->path, sizeof rig->path, "%s/credentials.json", rig->dir);
    assert_int_equal(peer_start(&rig->peer, rig_answer, rig), 0);
    assert_int_equal(http_new(NULL, &rig->http, &rig->err), 0);
    fake_clock_init(&rig->clock);
    rig->clock.random = 0;
    rig->run = (struct run){.on_event = rig_tell, .ctx = rig};
    rig->said[0] = '\0';
    memset(rig->special, 0, sizeof rig->special);
    rig->env = (struct cloud_env){.application_credentials = rig->path, .home = rig->dir};
    return 0;
}

static void rig_close(struct rig *rig)
{
    credentials_free(rig->credentials);
    rig->credentials = NULL;
    access_token_free(&rig->token);
}

static int rig_teardown(void **state)
{
    struct rig *rig = *state;
    char command[256];
    rig_close(rig);
    http_free(rig->http);
    peer_stop(&rig->peer);
    snprintf(command, sizeof command, "rm -rf '%s'", rig->dir);
    return system(command);
}

/* Writes a file; in TEXT '$' stands for the peer's URL, '^' for the private key, '~' for the folder. */
static void rig_write_to(struct rig *rig, const char *path, const char *text)
{
    cleanup_buf struct buf out = BUF_INIT(1 << 20);
    for (const char *c = text; *c; c++) {
        if (*c == '$')
            buf_str(&out, rig->peer.url);
        else if (*c == '^')
            buf_str(&out, rig->pem);
        else if (*c == '~')
            buf_str(&out, rig->dir);
        else
            buf_add(&out, c, 1);
    }
    assert_int_equal(file_put(path, out.data, out.len, 0600, &rig->err), 0);
}

static inline void rig_write(struct rig *rig, const char *text)
{
    rig_write_to(rig, rig->path, text);
}

static inline int rig_open(struct rig *rig, const char *token_file)
{
    struct retry_policy retry = {.attempts = 3};
    struct credentials_options options = {
        .token_file = token_file, .env = &rig->env, .retry = &retry, .clock = &rig->clock.source};
    rig_close(rig);
    return credentials_open(&options, rig->http, &rig->run, &rig->credentials, &rig->err);
}

/* The next token, as credentials_token() gives it; NO_TOKEN when it fails. */
static inline const char *rig_token(struct rig *rig)
{
    access_token_free(&rig->token);
    if (credentials_token(rig->credentials, &rig->run, &rig->token, &rig->err) < 0)
        return NO_TOKEN;
    return rig->token.text;
}

static inline void rig_form_is(struct rig *rig, unsigned nth, const char *field, const char *want)
{
    cleanup_free char *value = peer_form(&rig->peer, nth, field);
    if (!want) {
        assert_null(value);
        return;
    }
    assert_non_null(value);
    assert_string_equal(value, want);
}

#define with_rig(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

#define SERVICE_ACCOUNT                                                                                      \
    "{\"type\":\"service_account\",\"project_id\":\"test-project\",\"private_key_id\":\"kid1\","             \
    "\"private_key\":\"^\",\"client_email\":\"sa\x40test-project.iam.gserviceaccount.com\","                 \
    "\"client_id\":\"1\",\"token_uri\":\"$/token\",\"new_field_of_google\":[1]}"
#define USER                                                                                                 \
    "\"type\":\"authorized_user\",\"client_id\":\"cid\",\"client_secret\":\"csec-secret-1\","                \
    "\"refresh_token\":\"1//rt-secret-2\",\"token_uri\":\"$/token\""
#define EXTERNAL                                                                                             \
    "\"type\":\"external_account\",\"audience\":\"" POOL "\","                                               \
    "\"subject_token_type\":\"urn:ietf:params:oauth:token-type:jwt\",\"token_url\":\"$/sts/v1/token\""

#endif
