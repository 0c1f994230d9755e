/* Runs many jobs on several threads; their results, if any, are consumed in order.
 *
 * In:    jobs 0..count-1 and a function that does one. With slots: up to WORKERS_CONSUMERS functions that
 *        each see every result in the order of the jobs. Each runs on a thread of its own and sees a result
 *        after the one before it in the list is done with it. Without slots a job leaves no result, and jobs
 *        run in any order.
 * Out:   all jobs done, or an error; after an error no further job starts, and running ones finish.
 * Fails: with the first error of a job or consumer, ERR_INTERRUPTED, or, with slots, ERR_INTERNAL when no
 *        thread can be started.
 * Owns:  its threads, which have ended when it returns. The slots bound its memory: a job starts only after
 *        all consumers have seen the previous result in its slot.
 */
#ifndef BAKE_TASK_WORKERS_H
#define BAKE_TASK_WORKERS_H

#include <stddef.h>

#include "base/run.h"

enum { WORKERS_CONSUMERS = 3 };
typedef int (*workers_consume_fn)(void *ctx, size_t job, void *slot, struct err *err);

struct workers {
    unsigned threads; /* at least 1 */
    size_t jobs;
    void *const
        *slots; /* job N has slot N modulo slot_count to itself until it is consumed; NULL: no results */
    size_t slot_count;
    void *const *own; /* work memory, one for each thread; may be NULL */
    void *ctx;
    int (*work)(void *ctx, size_t job, void *slot, void *own, struct err *err); /* on any thread */
    /* With slots: the first runs on the caller's thread and may be NULL. The list ends at the first NULL
     * after it. */
    workers_consume_fn consume[WORKERS_CONSUMERS];
    const struct run *run;
};

must_check int workers_run(const struct workers *spec, struct err *err);

/* THREADS or, when it is 0, the number of processors that this process may use; at most MAX. */
unsigned workers_threads(unsigned threads, unsigned max);

#endif
