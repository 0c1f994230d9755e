/* What Google said when it said no, made safe to show.
 *
 * In:    an answer's status and body.
 * Out:   words: {"error": {"code", "message", "status", "errors": [{"reason", "message"}]}} of the APIs, or
 *        {"error", "error_description"} of OAuth (RFC 6749 section 5.2); else the first line of a text body.
 * Fails: never: what is not there is "". Cut to size, one line, control characters and broken UTF-8 as '?'.
 */
#ifndef BAKE_CLOUD_API_ERROR_H
#define BAKE_CLOUD_API_ERROR_H

#include "http/http.h"

struct api_error {
    int status;        /* of HTTP */
    char reason[64];   /* "conditionNotMet", "alreadyExists", "invalid_grant": a machine's word */
    char message[512]; /* a person's words */
    bool passing;      /* one of its reasons is: see api_error_passing() */
};

/* Does an error of this reason go away by itself, so that the same request is worth another attempt? Rate limits are
 * answered with 403 as well as 429, and what is not ready yet with 400: a status alone does not tell. One table for the
 * APIs' answers, the errors of operations, and OAuth; case and '_' do not count, as the APIs write both forms. */
bool api_error_passing(const char *reason);

void api_error_read(const struct http_answer *answer, struct api_error *ret);

/* "HTTP 403: forbidden: MESSAGE", as far as there is any. Sets err of kind ERR_REMOTE to "WHAT: " and that;
 * returns -1. */
int api_error_set(const struct http_answer *answer, const char *what, struct err *err);

/* Copies FROM into TO of ROOM bytes: one line, printable, valid UTF-8, "..." at the end when it was cut. */
void api_error_safe(const char *from, size_t len, char *to, size_t capacity);

#endif
