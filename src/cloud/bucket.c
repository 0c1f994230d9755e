/* The bucket itself: made only when that was asked for. */
#include <string.h>
#include <strings.h>

#include "cloud/storage.h"

static int refused(const struct storage *storage, const struct bucket_options *options,
                   const struct api_result *result, struct err *err)
{
    char what[320], role[320];
    snprintf(what, sizeof what, "bucket gs://%.222s", storage->bucket);
    snprintf(role, sizeof role, "roles/storage.admin on the project %.100s", options->project);
    return api_refused(result, what, role, err);
}

void storage_bucket_body(const struct storage *storage, const struct bucket_options *options, struct buf *ret)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "name", storage->bucket);
    if (options->location)
        cJSON_AddStringToObject(root, "location", options->location);
    cJSON *access = cJSON_AddObjectToObject(root, "iamConfiguration");
    cJSON_AddBoolToObject(cJSON_AddObjectToObject(access, "uniformBucketLevelAccess"), "enabled", true);
    cJSON_AddStringToObject(access, "publicAccessPrevention", "enforced");
    /* parts are removed for good: seven more days of each, by the default of new buckets, would be paid for */
    cJSON_AddStringToObject(cJSON_AddObjectToObject(root, "softDeletePolicy"), "retentionDurationSeconds",
                            "0");
    cJSON *rule = cJSON_CreateObject();
    cJSON_AddStringToObject(cJSON_AddObjectToObject(rule, "action"), "type", "Delete");
    cJSON *condition = cJSON_AddObjectToObject(rule, "condition");
    cJSON_AddNumberToObject(condition, "age", LIFECYCLE_DAYS);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(condition, "matchesPrefix"),
                         cJSON_CreateString(options->segment_prefix));
    cJSON_AddItemToArray(cJSON_AddArrayToObject(cJSON_AddObjectToObject(root, "lifecycle"), "rule"), rule);
    char *json = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    if (!json)
        ret->failed = true;
    else
        buf_str(ret, json);
    cJSON_free(json);
}

/* Somebody has it: is it where it was asked for? That it is ours shows when the first object goes in. */
static int take_existing(const struct storage *storage, const struct bucket_options *options,
                         const struct api_result *conflict, struct err *err)
{
    cleanup_buf struct buf url = BUF_INIT(HTTP_URL_MAX);
    cleanup_api_result struct api_result result = {0};
    buf_printf(&url, "%s/b/", storage->api.endpoints->storage);
    http_escape(&url, storage->bucket);
    buf_str(&url, "?fields=name,location");
    if (buf_check(&url, "a URL", err) < 0 ||
        api_call(&storage->api, "GET", url.data, NULL, "bucket", &result, err) < 0)
        return -1;
    if (result.status == 403 || result.status == 404) { /* names are one for the whole world */
        refused(storage, options, conflict, err);
        return err_wrap(err, "the name of the bucket is taken, by somebody else it seems");
    }
    if (!api_ok(&result))
        return refused(storage, options, &result, err);
    const char *location = api_text(json_root(result.doc), "location");
    if (options->location && strcasecmp(location, options->location) != 0)
        return err_set(err, ERR_REMOTE, 0,
                       "the bucket gs://%s is there already, but in %.60s, not in %s: use another name",
                       storage->bucket, location, options->location);
    return 0;
}

int storage_create_bucket(const struct storage *storage, const struct bucket_options *options,
                          bool *ret_created, struct err *err)
{
    cleanup_buf struct buf url = BUF_INIT(HTTP_URL_MAX);
    cleanup_buf struct buf body = BUF_INIT(16 << 10);
    cleanup_api_result struct api_result result = {0};
    buf_printf(&url, "%s/b?project=", storage->api.endpoints->storage);
    http_escape(&url, options->project);
    storage_bucket_body(storage, options, &body);
    if (buf_check(&url, "a URL", err) < 0 ||
        api_call(&storage->api, "POST", url.data, &body, "bucket", &result, err) < 0)
        return -1;
    *ret_created = api_ok(&result);
    if (api_ok(&result))
        return 0;
    return result.status == 409 ? take_existing(storage, options, &result, err)
                                : refused(storage, options, &result, err);
}
