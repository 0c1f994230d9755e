/* Token requests and their answers, common to all kinds of credentials.
 *
 * In:    a form or a JSON text, and its URL.
 * Out:   the body of a 200.
 * Fails: ERR_REMOTE "WHERE: HTTP 400: invalid_grant: Google's message": a message that repeats one of the
 *        secrets that were sent is left out. ERR_NETWORK after all retries.
 * Source: RFC 6749 section 5, RFC 8693 section 2, iamcredentials v1 generateAccessToken.
 */
#ifndef BAKE_CLOUD_AUTH_TOKEN_REQUEST_H
#define BAKE_CLOUD_AUTH_TOKEN_REQUEST_H

#include "cloud/api/error.h"
#include "cloud/api/url.h"
#include "cloud/auth/token_source.h"

enum { TOKEN_ANSWER_MAX = 64 << 10, TOKEN_SECRETS = 4 };

struct token_request {
    const char *what; /* for messages: the URL, or "metadata server" */
    const char *url;
    const char *content_type; /* NULL: a GET without a body */
    const struct buf *body;
    const struct http_header *headers;
    size_t header_count;
    const char *bearer;
    const char *secrets[TOKEN_SECRETS]; /* sent, and never repeated in a message */
    bool metadata;
};

/* 200: RET is the answer. Anything else is an error; RET_WHY (may be NULL) then has the server's reason. */
struct token_refusal {
    struct api_error error; /* status 0: there was no answer */
    int64_t date_s;         /* the server's Date header, seconds since 1970; 0: none */
};
must_check int token_request(const struct token_context *ctx, const struct token_request *req,
                             const struct run *run, struct http_answer *ret, struct token_refusal *ret_why,
                             struct err *err);

/* {"access_token", "expires_in"}: the number may be a string. */
must_check int token_answer_oauth(const char *text, size_t len, const char *what, struct token *ret,
                                  struct err *err);
/* {"accessToken", "expireTime"} (RFC 3339); NOW_S is the server's time, or this machine's. */
must_check int token_answer_iam(const char *text, size_t len, const char *what, int64_t now_s,
                                struct token *ret, struct err *err);

/* Checks that secrets may be sent to URL, which FIELD of a credential file names: https and a host under the
 * universe domain, or the host of an endpoint that the environment overrides, or plain http on loopback, for
 * tests. */
must_check int token_url_check(const struct token_context *ctx, const struct json_doc *doc,
                               const cJSON *object, const char *field, const char *url, struct err *err);

/* "2030-01-01T00:00:00.5+01:00" as seconds since 1970 (RFC 3339); false for anything else. */
bool token_time_read(const char *text, int64_t *ret);

/* Printable ASCII without blanks: fit for a header. */
bool token_text_ok(const char *text, size_t len);

/* A required or optional string of a credential file: not empty, no control characters. */
must_check int token_field(const struct json_doc *doc, const cJSON *object, const char *key, bool required,
                           const char **ret, struct err *err);

#endif
