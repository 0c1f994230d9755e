/* Calls of Google's JSON APIs: the answer parsed, or the refusal in words.
 *
 * In:    a method, a URL, a body.
 * Out:   the status and, for a 2xx with a body, the document; otherwise Google's reason.
 * Fails: as client_call(): no answer, or retries that ran out. ERR_REMOTE: a 2xx that is not JSON. Other
 *        statuses are answers; api_refused() turns one into an error.
 * Owns:  the result's document until api_result_free().
 */
#ifndef BAKE_CLOUD_CLIENT_API_H
#define BAKE_CLOUD_CLIENT_API_H

#include "json/json.h"
#include "cloud/api/error.h"
#include "cloud/client/client.h"

struct api {
    const struct client *client;
    const struct endpoints *endpoints;
    const struct run *run;
};

struct api_result {
    int status;
    struct json_doc *doc; /* NULL: no body, or not a 2xx */
    struct api_error error;
};
void api_result_free(struct api_result *result);
#define cleanup_api_result cleanup(api_result_free)

static inline bool api_ok(const struct api_result *result)
{
    return result->status >= 200 && result->status < 300;
}

/* BODY is JSON text; NULL: none. WHAT is for messages: "image NAME". */
must_check int api_call(const struct api *api, const char *method, const char *url, const struct buf *body,
                        const char *what, struct api_result *ret, struct err *err);
/* The same for any request. */
must_check int api_send(const struct api *api, const struct http_request *req, struct api_result *ret,
                        struct err *err);

/* Sets ERR_REMOTE: "WHAT: HTTP 403: forbidden: ...; the role that allows it: ROLE". ROLE names the role and
 * what to grant it on. It is shown for 401 and 403 only, unless the reason is one that no role changes: a
 * quota, a limit, a retention policy, an API that is not enabled. Returns -1. */
int api_refused(const struct api_result *result, const char *what, const char *role, struct err *err);

/* A string member of an answer; "" when it is missing. Points into the document. */
const char *api_text(const cJSON *object, const char *key);
/* An int64 as the APIs write it, in a string, or a number; 0 when it is missing. */
uint64_t api_uint(const cJSON *object, const char *key);

/* RFC 3339, as the APIs write times, to milliseconds since 1970; false for anything else. */
bool api_time(const char *text, int64_t *ret_ms);

#endif
