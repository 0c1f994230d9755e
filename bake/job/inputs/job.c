#include "bake/job/inputs/job.h"

#include "cache/cache.h"

int job_open(struct common *common, const struct recipe_options *options, struct bake_job *ret,
             struct err *err)
{
    cleanup_job struct bake_job made = {.common = common, .options = options};
    if (inputs_open(options, &made.inputs, err) < 0)
        return -1;
    if (common_cache(common, &made.cache, err) < 0)
        return err_wrap(err, "cache");
    *ret = made;
    made = (struct bake_job){0};
    return 0;
}

void job_close(struct bake_job *job)
{
    if (job->cache)
        cache_close(job->cache);
    inputs_free(&job->inputs);
    *job = (struct bake_job){0};
}
