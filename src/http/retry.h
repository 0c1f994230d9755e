/* Retries: exponential back-off with jitter, Retry-After, limits on attempts and time.
 *
 * In:    a failed attempt: its error, and the Retry-After of its answer if there was one.
 * Out:   retry_error(), retry_again(): 0 once the wait is over and the caller may try again. retry_delay():
 *        how long to wait, for callers that wait in a loop of their own.
 * Fails: with the attempt's own error, prefixed with "gave up after N attempts", and errnum RETRY_GAVE_UP,
 *        which makes an outer loop of attempts stop too; ERR_INTERRUPTED while waiting.
 *
 * Before attempt n + 1 the step is first_ms * 2^(n - 1), at most max_ms; the wait is a random value around it
 * (see enum retry_jitter). A server's Retry-After (RFC 9110 section 10.2.3: seconds or a date) makes it
 * longer, up to retry_after_max_s. An attempt that would begin after deadline_s is not made. The caller
 * decides which answers are worth another attempt.
 */
#ifndef BAKE_HTTP_RETRY_H
#define BAKE_HTTP_RETRY_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/run.h"
#include "http/answer.h"

enum retry_jitter {
    RETRY_FULL_JITTER,    /* 0 to 1 times the step; a quarter of that is added to a Retry-After */
    RETRY_CENTERED_JITTER /* 0.5 to 1.5 times the step; a Retry-After is followed exactly */
};

enum { RETRY_GAVE_UP = ETIMEDOUT, RETRY_NO_DEADLINE = INT_MAX };

struct retry_policy {
    unsigned attempts;          /* including the first; 0: 8 */
    unsigned first_ms;          /* 0: 1,000 */
    unsigned max_ms;            /* 0: 32,000 */
    unsigned retry_after_max_s; /* 0: 120 */
    unsigned deadline_s;        /* from retry_begin() or the last retry_progress(); 0: 600 */
    enum retry_jitter jitter;
};

/* Replaceable for tests. */
struct clock_source {
    int64_t (*now_ms)(void *ctx);  /* monotonic */
    int64_t (*wall_s)(void *ctx);  /* seconds since 1970 */
    uint32_t (*random)(void *ctx); /* all 32 bits */
    /* Ends early with ERR_INTERRUPTED. */
    int (*sleep_ms)(void *ctx, int64_t ms, const struct run *run, struct err *err);
    void *ctx;
};
extern const struct clock_source clock_machine;

struct retry {
    const char *stage;          /* named in warnings */
    struct retry_policy policy; /* defaults filled in */
    const struct clock_source *clock;
    unsigned failures; /* in a row */
    int64_t started_ms;
};

/* STAGE: a literal, for the warnings. POLICY NULL: the defaults; CLOCK NULL: this machine's. */
void retry_begin(struct retry *retry, const char *stage, const struct retry_policy *policy,
                 const struct clock_source *clock);

/* The attempts achieved something, such as storing bytes: counting starts over. */
void retry_progress(struct retry *retry);

/* 408, 425, 429 and 5xx: the same request may succeed later. */
bool retry_status(int status);

/* Counts a failed attempt. Either warns, with ERR's text, and sets *ret_ms to the wait before the next one,
 * or gives up. WHAT names the work in the warning; RETRY_AFTER is the header's value, NULL or "": none. */
must_check int retry_delay(struct retry *retry, const char *what, const char *retry_after,
                           const struct run *run, int64_t *ret_ms, struct err *err);

/* The same, and waits. ANSWER may be NULL. */
must_check int retry_again(struct retry *retry, const char *what, const struct http_answer *answer,
                           const struct run *run, struct err *err);

/* After an attempt without an answer: retry_again() for ERR_NETWORK, unless an inner loop gave up; any other
 * error is final. */
must_check int retry_error(struct retry *retry, const char *what, const struct run *run, struct err *err);

#endif
