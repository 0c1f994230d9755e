/* Operations of Compute Engine: waits for the end, and explains errors. */
#include <string.h>

#include "cloud/compute/images.h"
#include "cloud/compute/url.h"

enum {
    WAIT_S = 1800,
    EARLY_MS = 1000,
    NAP_MS = 250,
    NAP_MAX_MS = 5000,
    UNKNOWN_MS = 60000 /* how long an operation may be unknown (404) after it was last seen */
};

/* What the user can do about it. */
static const char *advice(const char *code, uint64_t status)
{
    if (api_error_temporary(code))
        return "; this is temporary: run the same command again";
    if (strstr(code, "QUOTA"))
        return "; ask for more quota, or make room with bake prune";
    if (strcmp(code, "RESOURCE_ALREADY_EXISTS") == 0)
        return "; the name is taken";
    if (status == 403 || strstr(code, "PERMISSION"))
        return "; the role that allows it: roles/compute.storageAdmin on the project, and "
               "roles/storage.objectViewer on the archive's bucket";
    if (status >= 500 || strcmp(code, "INTERNAL_ERROR") == 0)
        return "; this is on Google's side: run the same command again";
    return "";
}

/* "WHAT failed: CODE: MESSAGE", and how many more. */
static int set_error(const cJSON *operation, const char *what, bool *ret_temporary, struct err *err)
{
    const cJSON *errors =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(operation, "error"), "errors");
    const cJSON *first = cJSON_GetArrayItem(errors, 0);
    uint64_t status = api_uint(operation, "httpErrorStatusCode");
    char code[64], message[700];
    const char *reason = api_text(first, "code"), *text = api_text(first, "message");
    api_error_safe(reason, strlen(reason), code, sizeof code);
    api_error_safe(text, strlen(text), message, sizeof message);
    int more = cJSON_GetArraySize(errors) - 1;
    *ret_temporary = api_error_temporary(code);
    char tail[48] = "";
    if (more > 0)
        snprintf(tail, sizeof tail, " (and %d more errors)", more);
    return err_set(err, ERR_REMOTE, 0, "%s failed: %s: %s%s%s", what, code[0] ? code : "no code given",
                   message[0] ? message : "no message given", tail, advice(code, status));
}

/* MAY_BE_UNKNOWN: a 404 is a success, and leaves RESULT without a document. */
static int poll_operation(const struct images *images, const char *url, const char *what, bool may_be_unknown,
                          struct api_result *result, struct err *err)
{
    struct api_result next = {0};
    if (api_call(&images->api, "POST", url, NULL, what, &next, err) < 0)
        return -1;
    api_result_free(result);
    *result = next;
    if (api_ok(result) || (result->status == 404 && may_be_unknown))
        return 0;
    api_refused(result, what, "roles/compute.storageAdmin on the project", err);
    return err_wrap(err, "the operation was started, but how it ended is unknown");
}

int operation_wait(const struct images *images, const struct api_result *result, const char *what,
                   struct operation_end *ret, struct err *err)
{
    const struct clock_source *clock = images->api.client->clock ? images->api.client->clock : &clock_machine;
    cleanup_buf struct buf url = URL_INIT;
    cleanup_api_result struct api_result now = {.status = result->status};
    const char *name = api_text(json_root(result->doc), "name");
    int64_t began_ms = clock->now_ms(clock->ctx), seen_ms = began_ms, nap_ms = NAP_MS;
    *ret = (struct operation_end){.before = true};
    if (!*name)
        return err_set(err, ERR_REMOTE, 0, "%s: the server's answer names no operation", what);
    if (images_url_wait(images, name, &url, err) < 0)
        return -1;
    for (const cJSON *operation = json_root(result->doc);; operation = json_root(now.doc)) {
        if (strcmp(api_text(operation, "status"), "DONE") == 0) {
            ret->failed = cJSON_GetObjectItemCaseSensitive(operation, "error");
            return ret->failed ? set_error(operation, what, &ret->temporary, err) : 0;
        }
        ret->before = false;
        int64_t polled_ms = clock->now_ms(clock->ctx);
        if (polled_ms - began_ms > (int64_t)(images->wait_s ? images->wait_s : WAIT_S) * 1000)
            return err_set(
                err, ERR_REMOTE, 0,
                "%s is still running (operation %.100s): run the same command again to wait for it", what,
                name);
        run_note(images->api.run, "push", "%s: %llu%%", what,
                 (unsigned long long)api_uint(operation, "progress"));
        if (poll_operation(images, url.data, what, polled_ms - seen_ms < UNKNOWN_MS, &now, err) < 0)
            return -1;
        seen_ms = now.status == 404 ? seen_ms : polled_ms;
        /* the server holds the request for up to two minutes; after an early answer, wait here before the
         * next one */
        if (strcmp(api_text(json_root(now.doc), "status"), "DONE") != 0 &&
            clock->now_ms(clock->ctx) - polled_ms < EARLY_MS) {
            if (clock->sleep_ms(clock->ctx, nap_ms, images->api.run, err) < 0)
                return -1;
            nap_ms = nap_ms * 2 < NAP_MAX_MS ? nap_ms * 2 : NAP_MAX_MS;
        }
    }
}
