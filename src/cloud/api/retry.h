/* Another attempt, after a while, a bounded number of times: exponential back-off with full jitter.
 *
 * In:    a failed attempt: an error, or an answer with its status and Retry-After.
 * Out:   0 when the caller shall try again (the wait is over), -1 with err filled when it is final.
 * Fails: with the attempt's own error, "gave up after N attempts" before it; ERR_INTERRUPTED while waiting.
 * Owns:  nothing; a struct retry lives on the stack of whoever makes the attempts.
 *
 * Retryable are ERR_NETWORK, the answers 408, 429, 500, 502, 503 and 504, and those of any other status whose reason is
 * in the table of api_error.c. A wait is a random part of
 * first_ms * 2^n, at most max_ms; a server's Retry-After (RFC 9110 section 10.2.3: seconds or a date) makes it
 * longer, up to retry_after_max_s. An attempt that would begin after deadline_s is not made. An error that was
 * given up on (errnum RETRY_GAVE_UP) is final for an outer loop of attempts too.
 */
#ifndef BAKE_CLOUD_API_RETRY_H
#define BAKE_CLOUD_API_RETRY_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/run.h"
#include "http/http.h"

struct retry_policy {
    unsigned attempts;          /* in all; 0: 8 */
    unsigned first_ms;          /* 0: 1,000 */
    unsigned max_ms;            /* 0: 32,000 */
    unsigned retry_after_max_s; /* 0: 120 */
    unsigned deadline_s;        /* from retry_begin() or the last retry_progress(); 0: 600 */
};

/* The seam for tests. */
struct clock_source {
    int64_t (*now_ms)(void *ctx);  /* monotonic */
    int64_t (*wall_s)(void *ctx);  /* seconds since 1970 */
    uint32_t (*random)(void *ctx); /* all 32 bits */
    /* Waits, ends early with ERR_INTERRUPTED. */
    int (*sleep_ms)(void *ctx, int64_t ms, const struct run *run, struct err *err);
    void *ctx;
};
/* This machine's. */
extern const struct clock_source clock_machine;

enum { RETRY_GAVE_UP = ETIMEDOUT };

struct retry {
    struct retry_policy policy; /* defaults filled in */
    const struct clock_source *clock;
    unsigned failures;
    int64_t started_ms;
};

/* POLICY and CLOCK may be NULL. */
void retry_begin(struct retry *retry, const struct retry_policy *policy, const struct clock_source *clock);

/* The attempts brought something (bytes that are persisted): counting begins anew. */
void retry_progress(struct retry *retry);

bool retry_wanted(const struct http_answer *answer);

/* After an attempt without an answer: ERR holds why. WHAT is for the warning. */
must_check int retry_error(struct retry *retry, const char *what, const struct run *run, struct err *err);

/* After an answer that retry_wanted() takes; fills ERR when it was the last one. */
must_check int retry_answer(struct retry *retry, const char *what, const struct http_answer *answer,
                            const struct run *run, struct err *err);

/* The same when ERR is filled with the caller's own words already. */
must_check int retry_again(struct retry *retry, const char *what, const struct http_answer *answer,
                           const struct run *run, struct err *err);

#endif
