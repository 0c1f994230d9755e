/* Requests to Google's APIs: with a token, the quota project, and retries.
 *
 * In:    a request without Authorization.
 * Out:   the answer. client_send(): any. client_call(): any but those api_retry_wanted() takes.
 * Fails: as http.h, retry.h and credentials.h say; ERR_REMOTE: a new token was refused too.
 * Owns:  nothing: borrows http and credentials. A struct client is const: safe in threads.
 *
 * After a 401 the token is renewed and the request sent once more, so 401 is never an answer here.
 */
#ifndef BAKE_CLOUD_CLIENT_CLIENT_H
#define BAKE_CLOUD_CLIENT_CLIENT_H

#include "cloud/auth/credentials.h"
#include "http/http.h"
#include "cloud/api/retry.h"

struct client {
    struct http *http;
    struct credentials *credentials;
    struct retry_policy retry;
    const struct clock_source *clock; /* NULL: the machine's */
};

/* One attempt. */
must_check int client_send(const struct client *client, const struct http_request *req, const struct run *run,
                           struct http_answer *ret, struct err *err);
/* With retries: the request must be safe to repeat, and its sink able to start over: it is not called for
 * answers that are retried, but an interrupted one is requested again from the start. */
must_check int client_call(const struct client *client, const struct http_request *req, const struct run *run,
                           struct http_answer *ret, struct err *err);

#endif
