/* The bucket itself, created only on request. */
#include <string.h>
#include <strings.h>

#include "json/write.h"
#include "cloud/storage/storage.h"
#include "cloud/storage/url.h"

static int refused(const struct storage *storage, const struct bucket_options *options,
                   const struct api_result *result, struct err *err)
{
    char what[320], role[320];
    snprintf(what, sizeof what, "bucket gs://%.222s", storage->bucket);
    snprintf(role, sizeof role, "roles/storage.admin on the project %.100s", options->project);
    return api_refused(result, what, role, err);
}

int storage_bucket_body(const struct storage *storage, const struct bucket_options *options, struct buf *ret,
                        struct err *err)
{
    struct json_writer json = {.buf = ret};
    json_open(&json, NULL, '{');
    json_string(&json, "name", storage->bucket);
    if (options->location)
        json_string(&json, "location", options->location);
    json_raw(&json, "iamConfiguration",
             "{\"uniformBucketLevelAccess\":{\"enabled\":true},\"publicAccessPrevention\":\"enforced\"}");
    /* Deleted parts are never needed again: the default soft delete would bill seven more days of each. */
    json_raw(&json, "softDeletePolicy", "{\"retentionDurationSeconds\":\"0\"}");
    json_open(&json, "lifecycle", '{');
    json_open(&json, "rule", '[');
    json_open(&json, NULL, '{');
    json_raw(&json, "action", "{\"type\":\"Delete\"}");
    json_open(&json, "condition", '{');
    json_uint(&json, "age", LIFECYCLE_DAYS);
    json_strings(&json, "matchesPrefix", &options->segment_prefix, 1);
    for (const char *c = "}}]}}"; *c; c++)
        json_close(&json, *c);
    return json_write_end(&json, "the bucket's description", err);
}

/* The bucket exists: is it in the location asked for? Whether it is ours shows with the first object. */
static int check_existing(const struct storage *storage, const struct bucket_options *options,
                          const struct api_result *conflict, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    cleanup_api_result struct api_result result = {0};
    if (storage_url_bucket(storage, &url, err) < 0 ||
        api_call(&storage->api, "GET", url.data, NULL, "bucket", &result, err) < 0)
        return -1;
    if (result.status == 403 || result.status == 404) { /* bucket names are global */
        refused(storage, options, conflict, err);
        return err_wrap(err, "the name of the bucket is taken, apparently by another project");
    }
    if (!api_ok(&result))
        return refused(storage, options, &result, err);
    const char *location = api_text(json_root(result.doc), "location");
    if (options->location && strcasecmp(location, options->location) != 0)
        return err_set(err, ERR_REMOTE, 0,
                       "the bucket gs://%s exists already, but in %.60s, not in %s: use another name",
                       storage->bucket, location, options->location);
    return 0;
}

int storage_create_bucket(const struct storage *storage, const struct bucket_options *options,
                          bool *ret_created, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    cleanup_buf struct buf body = BUF_INIT(16 << 10);
    cleanup_api_result struct api_result result = {0};
    if (storage_url_create(storage, options->project, &url, err) < 0 ||
        storage_bucket_body(storage, options, &body, err) < 0 ||
        api_call(&storage->api, "POST", url.data, &body, "bucket", &result, err) < 0)
        return -1;
    *ret_created = api_ok(&result);
    if (api_ok(&result))
        return 0;
    return result.status == 409 ? check_existing(storage, options, &result, err)
                                : refused(storage, options, &result, err);
}
