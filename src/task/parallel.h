/* Runs independent requests in parallel: jobs 0..count-1 on a few threads, in any order.
 *
 * In:    a function that does one job.
 * Out:   all jobs done, or the first error; after an error no further job starts, and running ones finish.
 * Owns:  its threads, which have ended when it returns.
 */
#ifndef BAKE_TASK_PARALLEL_H
#define BAKE_TASK_PARALLEL_H

#include <stddef.h>

#include "base/run.h"

enum { PARALLEL_MAX = 64 };

/* THREADS 0 means 8. */
must_check int parallel_run(unsigned threads, size_t jobs,
                            int (*work)(void *ctx, size_t job, struct err *err), void *ctx,
                            const struct run *run, struct err *err);

#endif
