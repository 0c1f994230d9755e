#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/file.h"
#include "task/progress.h"

enum { SIZE = 1 << 20, STEP = 1000 };

static void *writer(void *ctx)
{
    struct flow *flow = ctx;
    struct err err;
    int fd = -1;
    if (file_scratch("/tmp", &fd, &err) < 0)
        abort();
    unsigned char bytes[STEP];
    for (uint64_t at = 0; at < SIZE; at += STEP) {
        for (size_t i = 0; i < STEP; i++)
            bytes[i] = (unsigned char)((at + i) / 7);
        if (file_pwrite(fd, bytes, STEP, at, "x", &err) < 0)
            abort();
        flow_moved(flow, fd, at + STEP);
    }
    flow_over(flow, true);
    close(fd); /* the flow has its own */
    return NULL;
}

static void what_is_ready_can_be_read(void **state)
{
    (void)state;
    struct err err = {0};
    struct flow *flow = NULL;
    struct flow_state now;
    pthread_t thread;
    assert_int_equal(flow_new(&flow, &err), 0);
    assert_int_equal(pthread_create(&thread, NULL, writer, flow), 0);
    uint64_t at = 0, end = (SIZE + STEP - 1) / STEP * STEP;
    do {
        unsigned char bytes[STEP];
        assert_int_equal(flow_wait(flow, at + STEP, NULL, &now, &err), 0);
        for (; at + STEP <= now.ready; at += STEP) {
            assert_int_equal(file_pread(now.fd, bytes, STEP, at, "x", &err), 0);
            for (size_t i = 0; i < STEP; i++)
                assert_int_equal(bytes[i], (unsigned char)((at + i) / 7));
        }
    } while (!now.over);
    assert_int_equal(now.ready, end);
    assert_int_equal(at, end);
    pthread_join(thread, NULL);
    flow_over(flow, false); /* the first word holds */
    assert_int_equal(flow_wait(flow, UINT64_MAX, NULL, &now, &err), 0);
    flow_free(flow);
}

static void given_up(void **state)
{
    (void)state;
    struct err err = {0};
    struct flow *flow = NULL;
    struct flow_state now;
    assert_int_equal(flow_new(&flow, &err), 0);
    flow_moved(flow, STDIN_FILENO, 100);
    assert_int_equal(flow_wait(flow, 100, NULL, &now, &err), 0);
    assert_int_equal(now.ready, 100);
    assert_false(now.over);
    flow_over(flow, false);
    flow_moved(flow, STDIN_FILENO, 200);
    flow_over(flow, true);
    assert_int_equal(flow_wait(flow, 1, NULL, &now, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    flow_free(flow);
    flow_moved(NULL, 0, 1); /* nobody reads along */
    flow_over(NULL, true);
}

static void waiting_can_be_interrupted(void **state)
{
    (void)state;
    struct err err = {0};
    struct flow *flow = NULL;
    struct flow_state now;
    volatile sig_atomic_t stop = 15;
    const struct run run = {.stop = &stop};
    assert_int_equal(flow_new(&flow, &err), 0);
    assert_int_equal(flow_wait(flow, 1, &run, &now, &err), -1);
    assert_int_equal(err.kind, ERR_INTERRUPTED);
    flow_free(flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_ready_can_be_read),
        cmocka_unit_test(given_up),
        cmocka_unit_test(waiting_can_be_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
