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
    struct progress *progress = ctx;
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
        progress_advance(progress, fd, at + STEP);
    }
    progress_end(progress, true);
    close(fd); /* the progress has its own */
    return NULL;
}

static void what_is_ready_can_be_read(void **state)
{
    (void)state;
    struct err err = {0};
    struct progress *progress = NULL;
    struct progress_state now;
    pthread_t thread;
    assert_int_equal(progress_new(&progress, &err), 0);
    assert_int_equal(pthread_create(&thread, NULL, writer, progress), 0);
    uint64_t at = 0, end = (SIZE + STEP - 1) / STEP * STEP;
    do {
        unsigned char bytes[STEP];
        assert_int_equal(progress_wait(progress, at + STEP, NULL, &now, &err), 0);
        for (; at + STEP <= now.ready; at += STEP) {
            assert_int_equal(file_pread(now.fd, bytes, STEP, at, "x", &err), 0);
            for (size_t i = 0; i < STEP; i++)
                assert_int_equal(bytes[i], (unsigned char)((at + i) / 7));
        }
    } while (!now.over);
    assert_int_equal(now.ready, end);
    assert_int_equal(at, end);
    pthread_join(thread, NULL);
    progress_end(progress, false); /* the first word holds */
    assert_int_equal(progress_wait(progress, UINT64_MAX, NULL, &now, &err), 0);
    progress_free(progress);
}

static void given_up(void **state)
{
    (void)state;
    struct err err = {0};
    struct progress *progress = NULL;
    struct progress_state now;
    assert_int_equal(progress_new(&progress, &err), 0);
    progress_advance(progress, STDIN_FILENO, 100);
    assert_int_equal(progress_wait(progress, 100, NULL, &now, &err), 0);
    assert_int_equal(now.ready, 100);
    assert_false(now.over);
    progress_end(progress, false);
    progress_advance(progress, STDIN_FILENO, 200);
    progress_end(progress, true);
    assert_int_equal(progress_wait(progress, 1, NULL, &now, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    progress_free(progress);
    progress_advance(NULL, 0, 1); /* without a reader */
    progress_end(NULL, true);
}

static void waiting_can_be_interrupted(void **state)
{
    (void)state;
    struct err err = {0};
    struct progress *progress = NULL;
    struct progress_state now;
    volatile sig_atomic_t stop = 15;
    const struct run run = {.stop = &stop};
    assert_int_equal(progress_new(&progress, &err), 0);
    assert_int_equal(progress_wait(progress, 1, &run, &now, &err), -1);
    assert_int_equal(err.kind, ERR_INTERRUPTED);
    progress_free(progress);
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
