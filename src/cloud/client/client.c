#include "cloud/client/client.h"

#include "cloud/api/error.h"

enum { HEADERS_MAX = 24 };

/* With REQ's headers, the token and the quota project. */
static int send_as(const struct client *client, const struct http_request *req,
                   const struct access_token *token, const struct run *run, struct http_answer *ret,
                   struct err *err)
{
    struct http_header headers[HEADERS_MAX + 1];
    struct http_request made = *req;
    const char *quota = credentials_quota_project(client->credentials);
    if (req->header_count > HEADERS_MAX)
        return err_set(err, ERR_INTERNAL, 0, "more than %d headers", HEADERS_MAX);
    for (size_t i = 0; i < req->header_count; i++)
        headers[i] = req->headers[i];
    if (quota)
        headers[made.header_count++] = (struct http_header){"x-goog-user-project", quota};
    made.headers = headers;
    made.bearer = token->text;
    return http_exchange(client->http, &made, run, ret, err);
}

int client_send(const struct client *client, const struct http_request *req, const struct run *run,
                struct http_answer *ret, struct err *err)
{
    cleanup_access_token struct access_token token = {0}, renewed = {0};
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    if (credentials_token(client->credentials, run, &token, err) < 0 ||
        send_as(client, req, &token, run, &answer, err) < 0)
        return -1;
    if (answer.status == 401) {
        if (credentials_renew(client->credentials, &token, run, &renewed, err) < 0)
            return -1;
        http_answer_free(&answer);
        if (send_as(client, req, &renewed, run, &answer, err) < 0)
            return -1;
        if (answer.status == 401) {
            api_error_set(&answer, req->what ? req->what : req->method, err);
            return err_wrap(err, "a new access token of %s was refused too",
                            credentials_who(client->credentials));
        }
    }
    *ret = answer;
    answer = (struct http_answer)HTTP_ANSWER_EMPTY;
    return 0;
}

int client_call(const struct client *client, const struct http_request *req, const struct run *run,
                struct http_answer *ret, struct err *err)
{
    const char *what = req->what ? req->what : req->method;
    struct retry retry;
    retry_begin(&retry, "cloud", &client->retry, client->clock);
    for (;;) {
        cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
        if (client_send(client, req, run, &answer, err) < 0) {
            if (retry_error(&retry, what, run, err) < 0)
                return -1;
            continue;
        }
        if (!api_retry_wanted(&answer)) {
            *ret = answer;
            answer = (struct http_answer)HTTP_ANSWER_EMPTY;
            return 0;
        }
        if (api_retry_answer(&retry, what, &answer, run, err) < 0)
            return -1;
    }
}
