/* What Google said when it said no, made safe to show.
 *
 * In:    an answer's status and body.
 * Out:   words: {"error": {"code", "message", "status", "errors": [{"reason", "message"}]}} of the APIs, or
 *        {"error", "error_description"} of OAuth (RFC 6749 section 5.2); else the first line of a text body.
 * Fails: never: what is not there is "". Cut to size, one line, control characters and broken UTF-8 as '?'.
 */
#ifndef BAKE_CLOUD_API_ERROR_H
#define BAKE_CLOUD_API_ERROR_H

#include "cloud/http.h"

struct api_error {
    int status;        /* of HTTP */
    char reason[64];   /* "conditionNotMet", "alreadyExists", "invalid_grant": a machine's word */
    char message[512]; /* a person's words */
};

void api_error_read(const struct http_answer *answer, struct api_error *ret);

/* "HTTP 403: forbidden: MESSAGE", as far as there is any. Sets err of kind ERR_REMOTE to "WHAT: " and that;
 * returns -1. */
int api_error_set(const struct http_answer *answer, const char *what, struct err *err);

/* Copies FROM into TO of ROOM bytes: one line, printable, valid UTF-8, "..." at the end when it was cut. */
void api_error_safe(const char *from, size_t len, char *to, size_t room);

#endif
