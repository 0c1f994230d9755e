/* Which answers of Google's APIs are worth another attempt.
 *
 * In:    an answer.
 * Out:   whether to retry: 408, 429, 500, 502, 503 and 504, and any other error status whose body gives a
 *        reason that api_error_temporary() knows.
 * Fails: as http/retry.h.
 */
#ifndef BAKE_CLOUD_API_RETRY_H
#define BAKE_CLOUD_API_RETRY_H

#include "http/retry.h"

bool api_retry_wanted(const struct http_answer *answer);

/* retry_again() after an answer that api_retry_wanted() takes; fills ERR from the answer. */
must_check int api_retry_answer(struct retry *retry, const char *what, const struct http_answer *answer,
                                const struct run *run, struct err *err);

#endif
