/* A clock that moves only while something sleeps. */
#ifndef BAKE_TESTS_UNIT_HTTP_FAKE_CLOCK_H
#define BAKE_TESTS_UNIT_HTTP_FAKE_CLOCK_H

#include "http/retry.h"

enum { FAKE_SLEEPS = 64 };

struct fake_clock {
    struct clock_source source;
    int64_t now_ms, wall_s;
    uint32_t random; /* what each call gives */
    int64_t slept[FAKE_SLEEPS];
    unsigned sleeps;
};

static int64_t fake_now(void *ctx)
{
    return ((struct fake_clock *)ctx)->now_ms;
}

static int64_t fake_wall(void *ctx)
{
    return ((struct fake_clock *)ctx)->wall_s;
}

static uint32_t fake_random(void *ctx)
{
    return ((struct fake_clock *)ctx)->random;
}

static int fake_sleep(void *ctx, int64_t ms, const struct run *run, struct err *err)
{
    struct fake_clock *clock = ctx;
    if (clock->sleeps < FAKE_SLEEPS)
        clock->slept[clock->sleeps++] = ms;
    clock->now_ms += ms;
    clock->wall_s += ms / 1000;
    return run_check(run, err);
}

static inline void fake_clock_init(struct fake_clock *clock)
{
    *clock = (struct fake_clock){.source = {.now_ms = fake_now,
                                            .wall_s = fake_wall,
                                            .random = fake_random,
                                            .sleep_ms = fake_sleep,
                                            .ctx = clock},
                                 .now_ms = 5000,
                                 .wall_s = 1700000000, /* Tue, 14 Nov 2023 22:13:20 GMT */
                                 .random = UINT32_MAX};
}

#endif
