/* Objects against a peer that answers from a script: checksums, preconditions, pages, refusals, a resumable
 * upload. */
#include "tests/unit/cloud/cloud_rig.h"

#include "io/crc32c.h"
#include "cloud/upload/state.h"
#include "cloud/upload/upload.h"

static const struct object hello = {.size = 5, .crc32c = 0x9a71bb4c};

static int insert(struct cloud_rig *rig, struct object *made)
{
    const struct object_content content = object_content_of("hello", 5);
    assert_int_equal(content.crc32c, hello.crc32c);
    return storage_insert(&rig->storage, "o", "text/plain", &content, 0, made, &rig->err);
}

static void an_upload_sends_its_checksum_and_checks_the_answer(void **state)
{
    struct cloud_rig *rig = *state;
    struct object made;
    cloud_says(rig, 200, OBJECT("7", "5", HELLO_SUM));
    assert_int_equal(insert(rig, &made), 0);
    assert_int_equal(made.generation, 7);
    assert_true(peer_has(&rig->peer, 0,
                         "POST /upload/storage/v1/b/b/o?uploadType=multipart&ifGenerationMatch=0 HTTP/1.1"));
    assert_non_null(strstr(rig->peer.requests[0].body,
                           "{\"name\":\"o\",\"contentType\":\"text/plain\",\"crc32c\":\"" HELLO_SUM "\"}"));
    assert_non_null(strstr(rig->peer.requests[0].body, "\r\n\r\nhello\r\n--bake-"));
}

static void another_checksum_deletes_that_generation(void **state)
{
    struct cloud_rig *rig = *state;
    struct object made;
    cloud_says(rig, 200, OBJECT("7", "5", "AAAAAA=="));
    cloud_says(rig, 204, NULL);
    assert_int_equal(insert(rig, &made), -1);
    assert_int_equal(rig->err.kind, ERR_REMOTE);
    assert_true(peer_has(&rig->peer, 1, "DELETE /storage/v1/b/b/o/o?generation=7 HTTP/1.1"));
    assert_non_null(strstr(rig->err.text, "it was deleted"));
}

static void an_existing_object_of_the_same_bytes_is_a_success(void **state)
{
    struct cloud_rig *rig = *state;
    struct object made;
    cloud_says(rig, 503, NULL);
    cloud_says(rig, 412, "{\"error\":{\"code\":412}}");
    cloud_says(rig, 200, OBJECT("8", "5", HELLO_SUM));
    assert_int_equal(insert(rig, &made), 0);
    assert_int_equal(made.generation, 8);
    cloud_says(rig, 412, NULL);
    cloud_says(rig, 200, OBJECT("8", "6", HELLO_SUM));
    assert_int_equal(insert(rig, &made), -1); /* and not deleted: it is not ours */
    assert_non_null(strstr(rig->err.text, "other bytes"));
    assert_int_equal(peer_count(&rig->peer), 5);
}

static void a_refusal_names_the_role(void **state)
{
    struct cloud_rig *rig = *state;
    struct object made;
    cloud_says(rig, 403,
               "{\"error\":{\"code\":403,\"message\":\"no.\",\"errors\":[{\"reason\":\"forbidden\"}]}}");
    cloud_says(rig, 404, NULL); /* no object is in the way */
    assert_int_equal(insert(rig, &made), -1);
    assert_non_null(strstr(rig->err.text, "roles/storage.objectUser on the bucket gs://b"));
    cloud_says(rig, 404, NULL);
    assert_int_equal(insert(rig, &made), -1);
    assert_non_null(strstr(rig->err.text, "--create-bucket"));
}

/* An account that may not delete gets 403 when an object is in the way; one with the same bytes is a
 * success. */
static void a_refusal_to_replace_the_same_bytes_is_a_success(void **state)
{
    struct cloud_rig *rig = *state;
    struct object made;
    cloud_says(rig, 403, NULL);
    cloud_says(rig, 200, OBJECT("8", "5", HELLO_SUM));
    assert_int_equal(insert(rig, &made), 0);
    assert_int_equal(made.generation, 8);
    cloud_says(rig, 403, NULL);
    cloud_says(rig, 200, OBJECT("8", "6", HELLO_SUM));
    assert_int_equal(insert(rig, &made), -1);
    assert_non_null(strstr(rig->err.text, "roles/storage.objectUser"));
}

/* No role changes these. */
static void other_refusals_name_no_role(void **state)
{
    struct cloud_rig *rig = *state;
    static const char *const reasons[] = {"retentionPolicyNotMet", "objectUnderActiveHold",
                                          "accessNotConfigured", "quotaExceeded"};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        char body[200];
        snprintf(body, sizeof body, "{\"error\":{\"errors\":[{\"reason\":\"%s\"}]}}", reasons[i]);
        cloud_says(rig, 403, body);
        assert_int_equal(storage_delete(&rig->storage, "o", 7, &rig->err), -1);
        assert_non_null(strstr(rig->err.text, reasons[i]));
        assert_null(strstr(rig->err.text, "roles/"));
    }
}

static void answers_that_cannot_be_are_refused(void **state)
{
    static const char *const bad[] = {"{}",
                                      "[]",
                                      "x",
                                      "{\"generation\":\"7\",\"size\":\"5\"}",
                                      OBJECT("0", "5", HELLO_SUM),
                                      OBJECT("-1", "5", HELLO_SUM),
                                      OBJECT("99999999999999999999999", "5", HELLO_SUM),
                                      OBJECT("7", "5", "?")};
    struct cloud_rig *rig = *state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct object made;
        cloud_says(rig, 200, bad[i]);
        assert_int_equal(insert(rig, &made), -1);
        assert_int_equal(rig->err.kind, ERR_REMOTE);
    }
}

static void a_list_has_all_pages(void **state)
{
    struct cloud_rig *rig = *state;
    cleanup_object_list struct object_list list = {0};
    cloud_says(rig, 200,
               "{\"nextPageToken\":\"a/b\",\"items\":[{\"name\":\"s/2\",\"generation\":\"1\",\"size\":\"5\","
               "\"crc32c\":\"" HELLO_SUM "\"}]}");
    cloud_says(rig, 200,
               "{\"items\":[{\"name\":\"s/1\",\"generation\":2,\"size\":\"5\",\"crc32c\":\"" HELLO_SUM
               "\"}]}");
    assert_int_equal(storage_list(&rig->storage, "s/", &list, NULL, &rig->err), 0);
    assert_int_equal(list.count, 2);
    assert_int_equal(object_find(&list, "s/1")->generation, 2);
    assert_int_equal(object_find(&list, "s/2")->created_ms, INT64_MAX); /* of unknown age */
    assert_null(object_find(&list, "s/3"));
    assert_non_null(strstr(rig->peer.requests[1].head, "&pageToken=a%2Fb "));
    cleanup_object_list struct object_list none = {0};
    bool no_bucket = false;
    cloud_says(rig, 404, NULL);
    assert_int_equal(storage_list(&rig->storage, "s/", &none, &no_bucket, &rig->err), 0);
    assert_true(no_bucket);
}

static void a_source_that_is_gone_is_recognized(void **state)
{
    struct cloud_rig *rig = *state;
    static const struct object_source sources[] = {{"s/1", 3}, {"s/2", 4}};
    struct object made = {0};
    bool missing = false;
    cloud_says(rig, 412, NULL); /* of the destination, or of a source: */
    cloud_says(rig, 404, NULL); /* the destination does not exist */
    assert_int_equal(
        storage_compose(&rig->storage, "o", "t", sources, 2, 0, &hello, &made, &missing, &rig->err), 0);
    assert_true(missing);
    assert_string_equal(
        rig->peer.requests[0].body,
        "{\"destination\":{\"contentType\":\"t\"},\"sourceObjects\":["
        "{\"name\":\"s/1\",\"generation\":\"3\",\"objectPreconditions\":{\"ifGenerationMatch\":\"3\"}},"
        "{\"name\":\"s/2\",\"generation\":\"4\",\"objectPreconditions\":{\"ifGenerationMatch\":\"4\"}}]}");
}

/* --- one resumable upload --- */

struct resume {
    struct segment segment;
    struct packed packed;
    struct parts parts;
    struct upload upload;
    struct cache *cache;
    struct push_state state;
    char location[200];
};

static void resume_open(struct cloud_rig *rig, struct resume *r)
{
    char dir[96];
    memset(r, 0, sizeof *r);
    int fd = -1;
    snprintf(dir, sizeof dir, "%s/cache", rig->dir);
    assert_int_equal(file_scratch(rig->dir, &fd, &rig->err), 0);
    assert_int_equal(file_pwrite(fd, "hello", 5, 0, "x", &rig->err), 0);
    r->segment = (struct segment){.packed_len = 5};
    r->packed = (struct packed){
        .segments = &r->segment, .segment_count = 1, .archive_size = 5, .archive_crc32c = hello.crc32c};
    assert_int_equal(parts_make(&r->packed, fd, "s/", "o", NULL, &r->parts, &rig->err), 0);
    const struct cache_options options = {.dir = dir};
    assert_int_equal(cache_open(&options, &r->cache, &rig->err), 0);
    assert_int_equal(state_open(r->cache, "push", NULL, &r->state, &rig->err), 0);
    r->upload = (struct upload){.storage = &rig->storage, .parts = &r->parts, .part_prefix = "s/", .fd = fd};
    snprintf(r->location, sizeof r->location, "Location: %s/upload/storage/v1/b/b/o?upload_id=SECRET\r\n",
             rig->peer.url);
}

static void resume_close(struct resume *r)
{
    state_close(&r->state);
    cache_close(r->cache);
    parts_free(&r->parts);
    close(r->upload.fd);
}

static void says_with(struct cloud_rig *rig, int status, const char *headers)
{
    cloud_says(rig, status, NULL);
    rig->script[rig->replies - 1].headers = headers;
}

static void what_the_server_stored_is_not_sent_again(void **state)
{
    struct cloud_rig *rig = *state;
    struct resume r;
    struct upload_counts counts = {0};
    resume_open(rig, &r);
    says_with(rig, 200, r.location);
    says_with(rig, 308, "Range: bytes=0-1\r\n");
    says_with(rig, 503, "Retry-After: 3\r\n");
    says_with(rig, 308, "Range: bytes=0-2\r\n");
    cloud_says(rig, 200, OBJECT("7", "5", HELLO_SUM));
    assert_int_equal(upload_resumable(&r.upload, &r.state, &counts, &rig->err), 0);
    assert_true(peer_has(&rig->peer, 1, "Content-Range: bytes 0-4/5"));
    assert_true(peer_has(&rig->peer, 1, "X-Goog-Hash: crc32c=" HELLO_SUM));
    assert_true(peer_has(&rig->peer, 2, "Content-Range: bytes 2-4/5"));
    assert_true(peer_has(&rig->peer, 3, "Content-Range: bytes */5"));
    assert_true(peer_has(&rig->peer, 4, "Content-Range: bytes 3-4/5"));
    assert_string_equal(rig->peer.requests[4].body, "lo");
    assert_in_range(rig->clock.slept[0], 3000, 5000);
    resume_close(&r);
}

static void a_session_survives_its_process(void **state)
{
    struct cloud_rig *rig = *state;
    struct resume r;
    struct upload_counts counts = {0};
    struct stat st;
    char path[256];
    resume_open(rig, &r);
    says_with(rig, 200, r.location);
    says_with(rig, 308, "Range: bytes=0-1\r\n");
    cloud_says(rig, 403, NULL);
    assert_int_equal(upload_resumable(&r.upload, &r.state, &counts, &rig->err), -1);
    assert_null(strstr(rig->err.text, "SECRET"));
    snprintf(path, sizeof path, "%s/cache/partial/%s", rig->dir, r.state.key);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    resume_close(&r);
    resume_open(rig, &r);
    says_with(rig, 308, "Range: bytes=0-1\r\n");
    cloud_says(rig, 200, OBJECT("7", "5", HELLO_SUM));
    assert_int_equal(upload_resumable(&r.upload, &r.state, &counts, &rig->err), 0);
    assert_true(peer_has(&rig->peer, 3, "Content-Range: bytes */5"));
    assert_string_equal(rig->peer.requests[4].body, "llo");
    assert_string_equal(r.state.session, "");
    resume_close(&r);
}

static void a_session_that_is_gone_is_replaced(void **state)
{
    struct cloud_rig *rig = *state;
    struct resume r;
    struct upload_counts counts = {0};
    resume_open(rig, &r);
    says_with(rig, 200, r.location);
    cloud_says(rig, 410, NULL);
    says_with(rig, 200, r.location);
    cloud_says(rig, 200, OBJECT("7", "5", HELLO_SUM));
    assert_int_equal(upload_resumable(&r.upload, &r.state, &counts, &rig->err), 0);
    assert_string_equal(rig->peer.requests[3].body, "hello");
    resume_close(&r);
}

static void a_session_on_another_host_or_a_false_range_is_refused(void **state)
{
    struct cloud_rig *rig = *state;
    struct resume r;
    struct upload_counts counts = {0};
    resume_open(rig, &r);
    says_with(rig, 200, "Location: https://evil.example/upload?upload_id=x\r\n");
    assert_int_equal(upload_resumable(&r.upload, &r.state, &counts, &rig->err), -1);
    says_with(rig, 200, NULL);
    assert_int_equal(upload_resumable(&r.upload, &r.state, &counts, &rig->err), -1);
    says_with(rig, 200, r.location);
    says_with(rig, 308, "Range: bytes=0-99\r\n");
    assert_int_equal(upload_resumable(&r.upload, &r.state, &counts, &rig->err), -1);
    assert_non_null(strstr(rig->err.text, "never sent"));
    resume_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_cloud(an_upload_sends_its_checksum_and_checks_the_answer),
        with_cloud(another_checksum_deletes_that_generation),
        with_cloud(an_existing_object_of_the_same_bytes_is_a_success),
        with_cloud(a_refusal_names_the_role),
        with_cloud(a_refusal_to_replace_the_same_bytes_is_a_success),
        with_cloud(other_refusals_name_no_role),
        with_cloud(answers_that_cannot_be_are_refused),
        with_cloud(a_list_has_all_pages),
        with_cloud(a_source_that_is_gone_is_recognized),
        with_cloud(what_the_server_stored_is_not_sent_again),
        with_cloud(a_session_survives_its_process),
        with_cloud(a_session_that_is_gone_is_replaced),
        with_cloud(a_session_on_another_host_or_a_false_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
