#include "http/retry.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <curl/curl.h>

#include "base/clock.h"

enum { SLEEP_STEP_MS = 50 };

static int64_t machine_now_ms(void *ctx)
{
    (void)ctx;
    return clock_now_ms();
}

static int64_t machine_wall_s(void *ctx)
{
    (void)ctx;
    return time(NULL);
}

static uint32_t machine_random(void *ctx)
{
    (void)ctx;
    uint32_t n = 0;
    return getrandom(&n, sizeof n, GRND_NONBLOCK) == (ssize_t)sizeof n ? n : UINT32_MAX / 2;
}

static int machine_sleep(void *ctx, int64_t ms, const struct run *run, struct err *err)
{
    int64_t until = machine_now_ms(ctx) + ms;
    for (;;) {
        if (run_check(run, err) < 0)
            return -1;
        int64_t left = until - machine_now_ms(ctx);
        if (left <= 0)
            return 0;
        int64_t step = left < SLEEP_STEP_MS ? left : SLEEP_STEP_MS;
        struct timespec ts = {.tv_nsec = step * 1000000};
        nanosleep(&ts, NULL);
    }
}

const struct clock_source clock_machine = {
    .now_ms = machine_now_ms, .wall_s = machine_wall_s, .random = machine_random, .sleep_ms = machine_sleep};

void retry_begin(struct retry *retry, const char *stage, const struct retry_policy *policy,
                 const struct clock_source *clock)
{
    *retry = (struct retry){.stage = stage, .clock = clock ? clock : &clock_machine};
    if (policy)
        retry->policy = *policy;
    struct retry_policy *p = &retry->policy;
    p->attempts = p->attempts ? p->attempts : 8;
    p->first_ms = p->first_ms ? p->first_ms : 1000;
    p->max_ms = p->max_ms ? p->max_ms : 32000;
    p->retry_after_max_s = p->retry_after_max_s ? p->retry_after_max_s : 120;
    p->deadline_s = p->deadline_s ? p->deadline_s : 600;
    retry->started_ms = retry->clock->now_ms(retry->clock->ctx);
}

void retry_progress(struct retry *retry)
{
    retry->failures = 0;
    retry->started_ms = retry->clock->now_ms(retry->clock->ctx);
}

bool retry_status(int status)
{
    return status == 408 || status == 425 || status == 429 || (status >= 500 && status <= 599);
}

/* The header's value in ms, capped; 0 when it is missing, in the past or malformed. */
static int64_t retry_after_ms(const struct retry *retry, const char *value)
{
    int64_t cap_s = retry->policy.retry_after_max_s, seconds = 0;
    if (!value || !value[0])
        return 0;
    const char *c = value;
    for (; *c >= '0' && *c <= '9'; c++)
        seconds = seconds > cap_s ? seconds : seconds * 10 + (*c - '0');
    if (*c != '\0') {
        time_t at = c == value ? curl_getdate(value, NULL) : -1;
        if (at < 0)
            return 0;
        seconds = (int64_t)at - retry->clock->wall_s(retry->clock->ctx);
    }
    if (seconds <= 0)
        return 0;
    return (seconds < cap_s ? seconds : cap_s) * 1000;
}

/* Full jitter spreads out many clients that failed at the same time; centered jitter never retries
 * immediately. */
static int64_t backoff_ms(const struct retry *retry)
{
    const struct retry_policy *p = &retry->policy;
    unsigned doublings = retry->failures < 16 ? retry->failures : 16;
    uint64_t step = (uint64_t)p->first_ms << doublings;
    if (step > p->max_ms)
        step = p->max_ms;
    uint64_t part = retry->clock->random(retry->clock->ctx) * (step + 1) >> 32; /* 0 to step */
    return (int64_t)(p->jitter == RETRY_CENTERED_JITTER ? step / 2 + part : part);
}

static int give_up(const struct retry *retry, struct err *err)
{
    err->errnum = RETRY_GAVE_UP;
    return retry->failures > 1 ? err_wrap(err, "gave up after %u attempts", retry->failures) : -1;
}

int retry_delay(struct retry *retry, const char *what, const char *retry_after, const struct run *run,
                int64_t *ret_ms, struct err *err)
{
    const struct clock_source *clock = retry->clock;
    const struct retry_policy *p = &retry->policy;
    int64_t ms = backoff_ms(retry), asked = retry_after_ms(retry, retry_after);
    retry->failures++;
    if (retry->failures >= p->attempts)
        return give_up(retry, err);
    if (asked > ms) /* full jitter: the server may have asked many clients for the same delay */
        ms = p->jitter == RETRY_CENTERED_JITTER ? asked : asked + ms / 4;
    int64_t spent = clock->now_ms(clock->ctx) - retry->started_ms;
    if (spent + ms > (int64_t)p->deadline_s * 1000)
        return give_up(retry, err);
    bool named = strncmp(err->text, what, strlen(what)) == 0;
    run_warn(run, retry->stage, "%s%s%s; attempt %u of %u in %.1f s", named ? "" : what, named ? "" : ": ",
             err->text, retry->failures + 1, p->attempts, (double)ms / 1000);
    *ret_ms = ms;
    return 0;
}

int retry_again(struct retry *retry, const char *what, const struct http_answer *answer,
                const struct run *run, struct err *err)
{
    int64_t ms = 0;
    const char *retry_after = answer ? http_header(answer, "Retry-After", 0) : NULL;
    if (retry_delay(retry, what, retry_after, run, &ms, err) < 0)
        return -1;
    return retry->clock->sleep_ms(retry->clock->ctx, ms, run, err);
}

int retry_error(struct retry *retry, const char *what, const struct run *run, struct err *err)
{
    if (err->kind != ERR_NETWORK || err->errnum == RETRY_GAVE_UP)
        return -1;
    return retry_again(retry, what, NULL, run, err);
}
