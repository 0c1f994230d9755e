/* Images: the insert's body compared with gcloud's for the same flags, request IDs, operations and their
 * errors, times. */
#include "tests/unit/cloud/cloud_rig.h"

/* What `gcloud compute images create img-1 --family fam --description hello --labels a=b,c=d
 * --guest-os-features UEFI_COMPATIBLE,GVNIC,VIRTIO_SCSI_MULTIQUEUE --architecture X86_64 --storage-location
 * us-central1 --source-uri gs://b/o.tar.gz` sends (recorded); bake adds containerType and sha1Checksum. */
static const char gcloud_body[] =
    "{\"architecture\": \"X86_64\", \"description\": \"hello\", \"family\": \"fam\", \"guestOsFeatures\": "
    "[{\"type\": \"UEFI_COMPATIBLE\"}, {\"type\": \"GVNIC\"}, {\"type\": \"VIRTIO_SCSI_MULTIQUEUE\"}], "
    "\"labels\": "
    "{\"a\": \"b\", \"c\": \"d\"}, \"name\": \"img-1\", \"rawDisk\": {\"source\": "
    "\"http://SERVER/storage/v1/b/b/o/o.tar.gz\"}, \"sourceType\": \"RAW\", \"storageLocations\": "
    "[\"us-central1\"]}";

static void the_body_is_gclouds(void **state)
{
    (void)state;
    static const char *const features[] = {"UEFI_COMPATIBLE", "GVNIC", "VIRTIO_SCSI_MULTIQUEUE"};
    static const struct label labels[] = {{"a", "b"}, {"c", "d"}};
    struct err err = {0};
    cleanup_buf struct buf body = BUF_INIT(4096);
    const struct image_spec spec = {.name = "img-1",
                                    .family = "fam",
                                    .description = "hello",
                                    .architecture = "X86_64",
                                    .labels = labels,
                                    .label_count = 2,
                                    .features = features,
                                    .feature_count = 3,
                                    .storage_location = "us-central1",
                                    .source = "http://SERVER/storage/v1/b/b/o/o.tar.gz",
                                    .sha1_hex = "abc"};
    assert_int_equal(images_insert_body(&spec, &body, &err), 0);
    cJSON *ours = cJSON_Parse(body.data), *theirs = cJSON_Parse(gcloud_body);
    cJSON *disk = cJSON_GetObjectItemCaseSensitive(ours, "rawDisk");
    assert_string_equal(api_text(disk, "containerType"), "TAR");
    assert_string_equal(api_text(disk, "sha1Checksum"), "abc");
    cJSON_DeleteItemFromObjectCaseSensitive(disk, "containerType");
    cJSON_DeleteItemFromObjectCaseSensitive(disk, "sha1Checksum");
    assert_true(cJSON_Compare(ours, theirs, true));
    cJSON_Delete(ours);
    cJSON_Delete(theirs);
}

static void everything_else_the_api_takes(void **state)
{
    (void)state;
    static const char *const licenses[] = {"projects/p/global/licenses/l"};
    struct err err = {0};
    cleanup_buf struct buf body = BUF_INIT(4096);
    struct image_spec spec = {.name = "n",
                              .source = "s",
                              .licenses = licenses,
                              .license_count = 1,
                              .kms_key = "projects/k",
                              .pk = {"\1\2", 2, true},
                              .dbs = {{"abc", 3, false}},
                              .db_count = 1};
    assert_int_equal(images_insert_body(&spec, &body, &err), 0);
    assert_string_equal(
        body.data,
        "{\"name\":\"n\",\"sourceType\":\"RAW\",\"licenses\":[\"projects/p/global/licenses/l\"],"
        "\"rawDisk\":{\"source\":\"s\",\"containerType\":\"TAR\"},\"imageEncryptionKey\":"
        "{\"kmsKeyName\":\"projects/k\"},\"shieldedInstanceInitialState\":{\"pk\":{\"content\":\"AQI=\","
        "\"fileType\":\"X509\"},\"dbs\":[{\"content\":\"YWJj\",\"fileType\":\"BIN\"}]}}");
    spec = (struct image_spec){.name = "n", .source = "s"}; /* empty fields are left out */
    buf_free(&body);
    assert_int_equal(images_insert_body(&spec, &body, &err), 0);
    assert_string_equal(
        body.data,
        "{\"name\":\"n\",\"sourceType\":\"RAW\",\"rawDisk\":{\"source\":\"s\",\"containerType\":\"TAR\"}}");
}

static void a_request_id_follows_from_the_request(void **state)
{
    (void)state;
    struct err err = {0};
    char one[REQUEST_ID_CAP], two[REQUEST_ID_CAP];
    /* python3: uuid.uuid5(uuid.NAMESPACE_URL, "x") */
    assert_int_equal(images_request_id("x", one, &err), 0);
    assert_string_equal(one, "4cd605e7-afa2-5360-b5b9-c5e9fb5c76f4");
    assert_int_equal(images_request_id("x attempt 1", two, &err), 0);
    assert_string_not_equal(one, two);
}

static void an_operation_is_waited_for(void **state)
{
    struct cloud_rig *rig = *state;
    const struct image_spec spec = {.name = "n", .source = "s"};
    struct operation_end end = {.failed = true, .before = true};
    bool exists = true;
    cloud_says(rig, 200, "{\"name\":\"op-1\",\"status\":\"PENDING\"}");
    cloud_says(rig, 503, NULL);
    cloud_says(rig, 200, "{\"name\":\"op-1\",\"status\":\"RUNNING\",\"progress\":50}");
    cloud_says(rig, 200, "{\"name\":\"op-1\",\"status\":\"DONE\"}");
    assert_int_equal(images_insert(&rig->images, &spec, "id", &end, &exists, &rig->err), 0);
    assert_false(end.failed || end.before || exists);
    assert_true(peer_has(&rig->peer, 0, "POST /projects/p/global/images?requestId=id HTTP/1.1"));
    assert_true(peer_has(&rig->peer, 3, "POST /projects/p/global/operations/op-1/wait HTTP/1.1"));
}

static void an_operation_that_fails_is_an_error(void **state)
{
    struct cloud_rig *rig = *state;
    const struct image_spec spec = {.name = "n", .source = "s"};
    struct operation_end end = {0};
    bool exists = false;
    cloud_says(rig, 200, "{\"name\":\"op-1\",\"status\":\"PENDING\"}");
    cloud_says(
        rig, 200,
        "{\"name\":\"op-1\",\"status\":\"DONE\",\"httpErrorStatusCode\":400,\"error\":{\"errors\":[{\"code\":"
        "\"INVALID_IMAGE\",\"message\":\"The tar archive is not a\\u001b valid image.\"},{}]}}");
    assert_int_equal(images_insert(&rig->images, &spec, "id", &end, &exists, &rig->err), -1);
    assert_true(end.failed && !end.temporary && !end.before);
    assert_string_equal(
        rig->err.text,
        "import of image n failed: INVALID_IMAGE: The tar archive is not a? valid image. (and 1 more "
        "errors)");
    cloud_says(rig, 200, "{\"name\":\"op-2\",\"status\":\"DONE\",\"error\":{}}");
    assert_int_equal(images_insert(&rig->images, &spec, "id", &end, &exists, &rig->err), -1);
    cloud_says(rig, 200, "{\"status\":\"DONE\"}");
    assert_int_equal(images_insert(&rig->images, &spec, "id", &end, &exists, &rig->err), -1);
    cloud_says(rig, 409, NULL);
    assert_int_equal(images_insert(&rig->images, &spec, "id", &end, &exists, &rig->err), 0);
    assert_true(exists);
}

static void an_operation_that_was_over_before_is_recognized(void **state)
{
    struct cloud_rig *rig = *state;
    const struct image_spec spec = {.name = "n", .source = "s"};
    struct operation_end end = {0};
    bool exists = false;
    cloud_says(rig, 200, "{\"name\":\"op-1\",\"status\":\"DONE\"}");
    assert_int_equal(images_insert(&rig->images, &spec, "id", &end, &exists, &rig->err), 0);
    assert_true(end.before && !end.failed);
    cloud_says(
        rig, 200,
        "{\"name\":\"op-1\",\"status\":\"DONE\",\"error\":{\"errors\":[{\"code\":\"RESOURCE_NOT_READY\"}]}}");
    assert_int_equal(images_insert(&rig->images, &spec, "id", &end, &exists, &rig->err), -1);
    assert_true(end.before && end.failed && end.temporary);
}

/* An unknown operation is polled for a minute after it was last seen, not for ever. */
static void an_operation_may_be_unknown_at_first(void **state)
{
    struct cloud_rig *rig = *state;
    cloud_says(rig, 200, "{\"name\":\"op-1\",\"status\":\"PENDING\"}");
    cloud_says(rig, 404, NULL);
    cloud_says(rig, 404, NULL);
    cloud_says(rig, 200, "{\"name\":\"op-1\",\"status\":\"DONE\"}");
    assert_int_equal(images_delete(&rig->images, "n", &rig->err), 0);
    cloud_says(rig, 200, "{\"name\":\"op-2\",\"status\":\"PENDING\"}");
    while (rig->replies < CLOUD_REPLIES)
        cloud_says(rig, 404, NULL);
    assert_int_equal(images_delete(&rig->images, "n", &rig->err), -1);
    assert_int_equal(rig->err.kind, ERR_REMOTE);
    assert_non_null(strstr(rig->err.text, "how it ended is unknown"));
    assert_true(rig->asked < CLOUD_REPLIES);
}

/* An operation that ended at a rate limit is over: the change is requested again. */
static void a_change_that_met_a_limit_is_made_again(void **state)
{
    struct cloud_rig *rig = *state;
    cloud_says(rig, 200,
               "{\"name\":\"op-1\",\"status\":\"DONE\",\"error\":{\"errors\":[{\"code\":"
               "\"CONCURRENT_OPERATIONS_QUOTA_EXCEEDED\"}]}}");
    cloud_says(rig, 403, "{\"error\":{\"errors\":[{\"reason\":\"rateLimitExceeded\"}]}}");
    cloud_says(rig, 200, "{\"name\":\"op-2\",\"status\":\"DONE\"}");
    assert_int_equal(images_delete(&rig->images, "n", &rig->err), 0);
    assert_int_equal(rig->asked, 3);
}

static void an_operation_that_never_ends_is_not_called_failed(void **state)
{
    struct cloud_rig *rig = *state;
    rig->images.wait_s = 1;
    rig->clock.random = 0;
    for (int i = 0; i < 10; i++)
        cloud_says(rig, 200, "{\"name\":\"op-1\",\"status\":\"RUNNING\"}");
    assert_int_equal(images_delete(&rig->images, "n", &rig->err), -1);
    assert_non_null(strstr(rig->err.text, "is still running"));
}

static void images_are_read(void **state)
{
    struct cloud_rig *rig = *state;
    cleanup_image_list struct image_list list = {0}, none = {0};
    cloud_says(
        rig, 200,
        "{\"nextPageToken\":\"t\",\"items\":[{\"name\":\"old\",\"creationTimestamp\":"
        "\"2026-01-01T00:00:00.000-08:00\",\"status\":\"READY\",\"deprecated\":{\"state\":\"DEPRECATED\","
        "\"replacement\":\"https://x/projects/p/global/images/new\"}}]}");
    cloud_says(rig, 200,
               "{\"items\":[{\"name\":\"new\",\"creationTimestamp\":\"2026-01-01T08:00:00.001Z\",\"status\":"
               "\"PENDING\",\"family\":\"f\",\"labels\":{\"a\":\"b\"}}]}");
    assert_int_equal(images_list(&rig->images, "family=f", &list, &rig->err), 0);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].name, "new"); /* newer by one millisecond */
    assert_int_equal(list.items[0].created_ms - list.items[1].created_ms, 1);
    assert_string_equal(image_label(&list.items[0], "a"), "b");
    assert_null(image_label(&list.items[0], "b"));
    assert_int_equal(list.items[1].state, IMAGE_DEPRECATED);
    assert_string_equal(image_name_of(list.items[1].replacement), "new");
    cloud_says(rig, 404, NULL);
    assert_int_equal(images_get(&rig->images, "n", &none, &rig->err), 0);
    assert_int_equal(none.count, 0);
    cloud_says(rig, 200, "{\"name\":\"../x\",\"creationTimestamp\":\"2026-01-01T08:00:00Z\"}");
    assert_int_equal(images_get(&rig->images, "n", &none, &rig->err), -1);
}

static void times_and_numbers_of_the_api(void **state)
{
    (void)state;
    int64_t ms = 0;
    assert_true(api_time("1970-01-01T00:00:01.250Z", &ms));
    assert_int_equal(ms, 1250);
    assert_true(api_time("1970-01-01T01:00:00+01:00", &ms));
    assert_int_equal(ms, 0);
    static const char *const bad[] = {"",
                                      "1970-01-01",
                                      "1970-01-01T00:00:00",
                                      "1970-01-01T00:00:00+1:00x",
                                      "1970-01-01T00:00:00+24:00",
                                      "1970-01-01T00:00:00Zx"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(api_time(bad[i], &ms));
    cJSON *json = cJSON_Parse(
        "{\"a\":\"18446744073709551615\",\"b\":\"184467440737095516150\",\"c\":3,\"d\":-1,\"e\":\"1x\"}");
    assert_int_equal(api_uint(json, "a"), 0); /* beyond anything that the APIs count */
    assert_int_equal(api_uint(json, "b"), 0);
    assert_int_equal(api_uint(json, "c"), 3);
    assert_int_equal(api_uint(json, "d"), 0);
    assert_int_equal(api_uint(json, "e"), 0);
    cJSON_Delete(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_body_is_gclouds),
        cmocka_unit_test(everything_else_the_api_takes),
        cmocka_unit_test(a_request_id_follows_from_the_request),
        with_cloud(an_operation_is_waited_for),
        with_cloud(an_operation_that_fails_is_an_error),
        with_cloud(an_operation_that_was_over_before_is_recognized),
        with_cloud(an_operation_may_be_unknown_at_first),
        with_cloud(a_change_that_met_a_limit_is_made_again),
        with_cloud(an_operation_that_never_ends_is_not_called_failed),
        with_cloud(images_are_read),
        cmocka_unit_test(times_and_numbers_of_the_api),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
