/* Fetches and verifies what a recipe names, and makes or updates its lock.
 *
 * In:    a job. What is locked is fetched by its digest; what is not is resolved, fetched, verified and
 *        pinned.
 * Out:   the base and every input as struct trusted. With a lock, and without --update, nothing is resolved
 *        and the lock stays.
 * Fails: as fetch and verify do; ERR_USAGE for a bad SOURCE_DATE_EPOCH while a lock is made; ERR_IO when the
 *        lock cannot be written.
 * Owns:  struct fetched owns its artifacts until fetched_free().
 */
#ifndef BAKE_FRONT_JOB_INPUTS_FETCH_H
#define BAKE_FRONT_JOB_INPUTS_FETCH_H

#include "bake/job/inputs/job.h"
#include "verify/types.h"

struct progress;

struct fetched {
    struct trusted base;
    struct trusted *inputs; /* in the recipe's order */
    size_t input_count;
    bool lock_written; /* the lock is new or has changed */
};
#define FETCHED_EMPTY                                                                                        \
    {                                                                                                        \
        .base = TRUSTED_EMPTY                                                                                \
    }

/* DOWNLOAD reports how far the base is fetched; it may be NULL. A lock that is made here is in job->inputs
 * afterwards. */
must_check int inputs_fetch(struct bake_job *job, struct progress *download, struct fetched *ret,
                            struct err *err);
void fetched_free(struct fetched *fetched);
#define cleanup_fetched cleanup(fetched_free)

#endif
