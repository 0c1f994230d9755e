/* A peer that answers from a script, one reply for each request, and what the cloud stage needs to talk to
 * it. */
#ifndef BAKE_TESTS_UNIT_CLOUD_CLOUD_RIG_H
#define BAKE_TESTS_UNIT_CLOUD_CLOUD_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cloud/push/push.h"
#include "tests/unit/http/fake_clock.h"
#include "io/file.h"
#include "tests/support/lib/peer.h"

enum { CLOUD_REPLIES = 32 };

struct cloud_rig {
    char dir[64];
    struct peer peer;
    struct http *http;
    struct credentials *credentials;
    struct cloud_env env;
    struct client client;
    struct fake_clock clock;
    struct storage storage;
    struct images images;
    struct peer_reply script[CLOUD_REPLIES];
    unsigned replies, asked;
    struct err err;
};

static void cloud_answer(void *ctx, unsigned nth, const struct peer_request *request,
                         struct peer_reply *reply)
{
    struct cloud_rig *rig = ctx;
    (void)request;
    rig->asked = nth + 1;
    *reply = nth < rig->replies ? rig->script[nth] : (struct peer_reply){.status = 599};
}

/* The next reply. BODY NULL: none. */
static inline void cloud_says(struct cloud_rig *rig, int status, const char *body)
{
    rig->script[rig->replies++] = (struct peer_reply){.status = status, .body = body};
}

static int cloud_setup(void **state)
{
    struct cloud_rig *rig = calloc(1, sizeof *rig);
    char path[96];
    assert_non_null(rig);
    snprintf(rig->dir, sizeof rig->dir, "/tmp/bake-cloud-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(path, sizeof path, "%s/token", rig->dir);
    assert_int_equal(file_put(path, "ya29.t\n", 7, 0600, &rig->err), 0);
    assert_int_equal(peer_start(&rig->peer, cloud_answer, rig), 0);
    fake_clock_init(&rig->clock);
    rig->env = (struct cloud_env){
        .storage = rig->peer.url, .compute = rig->peer.url, .home = rig->dir, .no_gce_check = "true"};
    const struct credentials_options options = {
        .token_file = path, .env = &rig->env, .clock = &rig->clock.source};
    assert_int_equal(http_new(NULL, &rig->http, &rig->err), 0);
    assert_int_equal(credentials_open(&options, rig->http, NULL, &rig->credentials, &rig->err), 0);
    rig->client = (struct client){.http = rig->http,
                                  .credentials = rig->credentials,
                                  .retry = {.attempts = 3},
                                  .clock = &rig->clock.source};
    const struct api api = {&rig->client, credentials_endpoints(rig->credentials), NULL};
    rig->storage = (struct storage){api, "b"};
    rig->images = (struct images){.api = api, .project = "p"};
    *state = rig;
    return 0;
}

static int cloud_teardown(void **state)
{
    struct cloud_rig *rig = *state;
    char command[128];
    credentials_free(rig->credentials);
    http_free(rig->http);
    peer_stop(&rig->peer);
    snprintf(command, sizeof command, "rm -rf '%s'", rig->dir);
    free(rig);
    return system(command);
}

#define with_cloud(f) cmocka_unit_test_setup_teardown(f, cloud_setup, cloud_teardown)

/* An object of "hello". */
#define HELLO_SUM "mnG7TA=="
#define OBJECT(generation, size, sum)                                                                        \
    "{\"name\":\"o\",\"generation\":\"" generation "\",\"size\":\"" size "\",\"crc32c\":\"" sum              \
    "\",\"timeCreated\":\"2026-11-22T11:09:00.000Z\"}"

#endif
