/* Google's reason for an error, made safe to show.
 *
 * In:    an answer's status and body.
 * Out:   reason and message: {"error": {"code", "message", "status", "errors": [{"reason", "message"}]}} of
 *        the APIs, or {"error", "error_description"} of OAuth (RFC 6749 section 5.2); else the first line of
 *        a text body. What is missing is "". Truncated, one line, control characters and invalid UTF-8 shown
 *        as '?'.
 */
#ifndef BAKE_CLOUD_API_ERROR_H
#define BAKE_CLOUD_API_ERROR_H

#include "http/http.h"

struct api_error {
    int status;        /* the HTTP status */
    char reason[64];   /* "conditionNotMet", "alreadyExists", "invalid_grant": for programs */
    char message[512]; /* for people */
    bool temporary;    /* a reason is temporary: see api_error_temporary() */
};

/* Is this reason temporary, so that the same request is worth another attempt? The status alone does not say:
 * rate limits are 403 as well as 429, and resources that are not ready are 400. One table for the APIs'
 * answers, errors of operations and OAuth; case and '_' are ignored, because the APIs write both forms. */
bool api_error_temporary(const char *reason);

void api_error_read(const struct http_answer *answer, struct api_error *ret);

/* Sets ERR_REMOTE: "WHAT: HTTP 403: forbidden: MESSAGE", without the parts that are missing. Returns -1. */
int api_error_set(const struct http_answer *answer, const char *what, struct err *err);

/* Copies FROM into TO, of CAPACITY bytes: one line, printable, valid UTF-8, "..." at the end when
 * truncated. */
void api_error_safe(const char *from, size_t len, char *to, size_t capacity);

#endif
