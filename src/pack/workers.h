/* Many jobs on several threads, their results taken in order.
 *
 * In:    jobs 0..count-1, a function that does one, and up to WORKERS_TAKERS functions that each take every
 *        result in the order of the jobs, each after the one before it, on threads of their own.
 * Out:   all of them done, or none after the first failure.
 * Fails: with the error of the failing job or take, ERR_INTERRUPTED, ERR_INTERNAL when no thread can be
 *        started.
 * Owns:  its threads, which have ended when it returns. Memory is bounded by the slots: a job starts only
 *        when the job that had its slot before has been taken by all.
 */
#ifndef BAKE_PACK_WORKERS_H
#define BAKE_PACK_WORKERS_H

#include <stddef.h>

#include "base/run.h"

enum { WORKERS_TAKERS = 3 };
typedef int (*workers_take_fn)(void *ctx, size_t job, void *slot, struct err *err);

struct workers {
    unsigned threads; /* at least 1 */
    size_t jobs;
    void *const
        *slots; /* slot_count of them; job N has slot N modulo slot_count to itself, until it is taken */
    size_t slot_count;
    void *const *own; /* work memory, one for each thread; may be NULL */
    void *ctx;
    int (*work)(void *ctx, size_t job, void *slot, void *own, struct err *err); /* on any thread */
    /* The first on the caller's thread, the others on threads of their own; NULL: none, and none after it. */
    workers_take_fn take[WORKERS_TAKERS];
    const struct run *run;
};

must_check int workers_run(const struct workers *spec, struct err *err);

/* THREADS, or for 0 the processors this process may use; at most MAX. */
unsigned workers_threads(unsigned threads, unsigned max);

#endif
