/* One bake's foundation, which every phase reads: what was asked for, the recipe and its lock, the cache. */
#ifndef BAKE_FRONT_JOB_INPUTS_JOB_H
#define BAKE_FRONT_JOB_INPUTS_JOB_H

#include "bake/job/inputs/inputs.h"
#include "bake/ui/common.h"

struct bake_job {
    struct common *common;                /* borrowed */
    const struct recipe_options *options; /* borrowed */
    struct inputs inputs;
    struct cache *cache;
};
#define JOB_EMPTY                                                                                            \
    {                                                                                                        \
        0                                                                                                    \
    }

/* Reads the recipe and its lock, and opens the cache. */
must_check int job_open(struct common *common, const struct recipe_options *options, struct bake_job *ret,
                        struct err *err);
void job_close(struct bake_job *job);
#define cleanup_job cleanup(job_close)

#endif
