/* Hashes the embedded files once more while the disk is packed. A cached file is hashed when it enters the
 * cache, and later only its identity is compared, which disk rot does not change.
 *
 * In:    a plan, which must live until payload_check_end().
 * Fails: ERR_VERIFY with CACHE_ROT: a file is not what the plan says.
 * Owns:  a thread, until payload_check_end().
 */
#ifndef BAKE_PAYLOAD_CHECK_H
#define BAKE_PAYLOAD_CHECK_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "base/run.h"
#include "plan/types.h"

struct payload_check {
    const struct plan *plan;
    pthread_t thread;
    bool running;
    volatile sig_atomic_t stop;
    struct run run; /* its stop flag is ours */
    int result;
    struct err err;
};

/* If no thread can be started, payload_check_wait() does the work. CHECK must not be moved. */
void payload_check_begin(struct payload_check *check, const struct plan *plan);
must_check int payload_check_wait(struct payload_check *check, const struct run *run, struct err *err);
void payload_check_end(struct payload_check *check);
#define cleanup_payload_check cleanup(payload_check_end)

#endif
