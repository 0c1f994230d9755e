#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/http/fake_clock.h"

static struct http_answer answer_with(int status, const char *retry_after)
{
    struct http_answer answer = {.status = status, .head = BUF_INIT(1000), .body = BUF_INIT(1000)};
    if (retry_after) {
        buf_printf(&answer.head, "Retry-After:%s", retry_after);
        buf_add(&answer.head, "", 1);
    }
    return answer;
}

static int fail_once(struct retry *retry, struct err *err)
{
    err_set(err, ERR_NETWORK, 0, "cut");
    return retry_error(retry, "this", NULL, err);
}

static int answered(struct retry *retry, const struct http_answer *answer, struct err *err)
{
    err_set(err, ERR_REMOTE, 0, "HTTP %d", answer->status);
    return retry_again(retry, "this", answer, NULL, err);
}

static void test_doubles_up_to_the_cap_and_ends(void **state)
{
    (void)state;
    struct fake_clock clock;
    struct retry retry;
    struct err err;
    const struct retry_policy policy = {.attempts = 6, .first_ms = 100, .max_ms = 500};
    fake_clock_init(&clock);
    retry_begin(&retry, "cloud", &policy, &clock.source);
    for (int i = 0; i < 5; i++)
        assert_int_equal(fail_once(&retry, &err), 0);
    static const int64_t most[] = {100, 200, 400, 500, 500};
    assert_int_equal(clock.sleeps, 5);
    assert_memory_equal(clock.slept, most, sizeof most);
    assert_int_equal(fail_once(&retry, &err), -1);
    assert_int_equal(err.kind, ERR_NETWORK);
    assert_string_equal(err.text, "gave up after 6 attempts: cut");
    /* final for a loop around this one too */
    struct retry outer;
    retry_begin(&outer, "cloud", &policy, &clock.source);
    assert_int_equal(retry_error(&outer, "outer", NULL, &err), -1);
    assert_int_equal(clock.sleeps, 5);
}

static void test_full_jitter(void **state)
{
    (void)state;
    struct fake_clock clock;
    struct retry retry;
    struct err err;
    fake_clock_init(&clock);
    clock.random = 0;
    retry_begin(&retry, "cloud", NULL, &clock.source);
    assert_int_equal(fail_once(&retry, &err), 0);
    clock.random = UINT32_MAX / 2;
    assert_int_equal(fail_once(&retry, &err), 0);
    assert_int_equal(clock.slept[0], 0);
    assert_in_range(clock.slept[1], 999, 1001); /* half of 2 s */
}

static void test_centered_jitter(void **state)
{
    (void)state;
    static const struct {
        uint32_t random;
        const char *retry_after;
        int64_t ms;
    } cases[] = {{0, NULL, 500},          {UINT32_MAX, NULL, 1500}, {0, "7", 7000},
                 {UINT32_MAX, "7", 7000}, {UINT32_MAX, "1", 1500},  {0, "", 500}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_clock clock;
        struct retry retry;
        struct err err;
        int64_t ms = -1;
        fake_clock_init(&clock);
        clock.random = cases[i].random;
        retry_begin(&retry, "fetch",
                    &(struct retry_policy){.jitter = RETRY_CENTERED_JITTER, .deadline_s = RETRY_NO_DEADLINE},
                    &clock.source);
        err_set(&err, ERR_NETWORK, 0, "cut");
        assert_int_equal(retry_delay(&retry, "this", cases[i].retry_after, NULL, &ms, &err), 0);
        assert_int_equal(ms, cases[i].ms);
        assert_int_equal(clock.sleeps, 0);
    }
}

static void test_final_errors(void **state)
{
    (void)state;
    struct fake_clock clock;
    struct retry retry;
    struct err err;
    static const enum err_kind final[] = {ERR_VERIFY, ERR_REMOTE, ERR_IO, ERR_INTERRUPTED, ERR_INTERNAL};
    fake_clock_init(&clock);
    for (size_t i = 0; i < sizeof final / sizeof *final; i++) {
        retry_begin(&retry, "cloud", NULL, &clock.source);
        err_set(&err, final[i], 0, "why");
        assert_int_equal(retry_error(&retry, "this", NULL, &err), -1);
        assert_string_equal(err.text, "why");
    }
    assert_int_equal(clock.sleeps, 0);
}

/* What a Retry-After makes of a back-off whose random part is nothing. */
static int64_t wait_for(const char *retry_after)
{
    struct fake_clock clock;
    struct retry retry;
    struct err err;
    struct http_answer answer = answer_with(503, retry_after);
    fake_clock_init(&clock);
    clock.random = 0;
    retry_begin(&retry, "cloud", &(struct retry_policy){.retry_after_max_s = 60}, &clock.source);
    assert_int_equal(answered(&retry, &answer, &err), 0);
    http_answer_free(&answer);
    return clock.slept[0];
}

static void test_retry_after(void **state)
{
    (void)state;
    assert_int_equal(wait_for(NULL), 0);
    assert_int_equal(wait_for("7"), 7000);
    assert_int_equal(wait_for("0"), 0);
    assert_int_equal(wait_for("61"), 60000);
    assert_int_equal(wait_for("99999999999999999999999999"), 60000);
    assert_int_equal(wait_for("Tue, 14 Nov 2023 22:13:30 GMT"), 10000);
    assert_int_equal(wait_for("Tue, 14 Nov 2023 22:13:10 GMT"), 0); /* past */
    assert_int_equal(wait_for("Fri, 14 Nov 2025 22:13:10 GMT"), 60000);
    assert_int_equal(wait_for("-5"), 0);
    assert_int_equal(wait_for("5 minutes"), 0);
    assert_int_equal(wait_for("soon"), 0);
    assert_int_equal(wait_for(""), 0);
}

static void test_deadline(void **state)
{
    (void)state;
    struct fake_clock clock;
    struct retry retry;
    struct err err;
    struct http_answer answer = answer_with(429, "50");
    fake_clock_init(&clock);
    clock.random = 0;
    retry_begin(&retry, "cloud", &(struct retry_policy){.deadline_s = 120, .retry_after_max_s = 60},
                &clock.source);
    assert_int_equal(answered(&retry, &answer, &err), 0);
    assert_int_equal(answered(&retry, &answer, &err), 0);
    assert_int_equal(answered(&retry, &answer, &err), -1); /* would be 150 s */
    assert_string_equal(err.text, "gave up after 3 attempts: HTTP 429");
    assert_int_equal(err.kind, ERR_REMOTE);
    retry_begin(&retry, "cloud", &(struct retry_policy){.deadline_s = 120, .retry_after_max_s = 60},
                &clock.source);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(answered(&retry, &answer, &err), 0);
        retry_progress(&retry); /* progress: counting restarts */
    }
    http_answer_free(&answer);
}

static void test_interrupted_while_waiting(void **state)
{
    (void)state;
    struct retry retry;
    struct err err;
    volatile sig_atomic_t stop = SIGINT;
    struct run run = {.stop = &stop};
    retry_begin(&retry, "cloud", &(struct retry_policy){.first_ms = 60000, .max_ms = 60000}, NULL);
    err_set(&err, ERR_NETWORK, 0, "cut");
    assert_int_equal(retry_error(&retry, "this", &run, &err), -1);
    assert_int_equal(err.kind, ERR_INTERRUPTED);
}

static void test_statuses(void **state)
{
    (void)state;
    static const int yes[] = {408, 425, 429, 500, 501, 503, 599};
    static const int no[] = {0, 200, 301, 400, 403, 404, 407, 499, 600};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(retry_status(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(retry_status(no[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_the_cap_and_ends),
        cmocka_unit_test(test_full_jitter),
        cmocka_unit_test(test_centered_jitter),
        cmocka_unit_test(test_final_errors),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_interrupted_while_waiting),
        cmocka_unit_test(test_statuses),
    };
    return cmocka_run_group_tests_name("http/retry", tests, NULL, NULL);
}
