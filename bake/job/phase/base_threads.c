#include "bake/job/phase/base_threads.h"

#include <string.h>

#include "pack/precompress.h"
#include "task/progress.h"
#include "unpack/unpack.h"
#include "unpack/unpacking.h"

static int start_precompress(struct base_threads *threads, const struct sha256 *base, struct err *err)
{
    const struct pack_options options = {.threads = (unsigned)threads->options->threads,
                                         .small = threads->options->small,
                                         .cache = threads->job->cache,
                                         .base = base};
    if (progress_new(&threads->disk, err) < 0)
        return -1;
    return precompress_begin(&options, threads->disk, &threads->job->common->run, &threads->precompress, err);
}

static void stop_precompress(struct base_threads *threads)
{
    precompress_end(steal_ptr(threads->precompress));
    progress_free(steal_ptr(threads->disk));
}

int base_threads_start(const struct bake_job *job, const struct image_options *options,
                       struct base_threads *ret, struct err *err)
{
    const struct lock_input *base =
        options->recipe.update ? NULL : lock_find(&job->inputs.lock, RECIPE_BASE_NAME);
    const char *url = job->inputs.recipe.base.from.url;
    ret->job = job;
    ret->options = options;
    if (!base || job->common->recheck || (url && strncmp(url, "file:", 5) == 0))
        return 0;
    if (progress_new(&ret->download, err) < 0 || start_precompress(ret, &base->sha256, err) < 0 ||
        unpacking_begin(&base->sha256, base->size, ret->download, job->cache, &job->common->run, ret->disk,
                        &ret->unpacking, err) < 0)
        return err_wrap(err, "unpack");
    if (!ret->unpacking)
        stop_precompress(ret);
    return 0;
}

struct progress *base_threads_download(const struct base_threads *threads)
{
    return threads->unpacking ? threads->download : NULL;
}

int base_threads_unpack(struct base_threads *threads, const struct trusted *base, struct disk *ret,
                        struct err *err)
{
    const struct bake_job *job = threads->job;
    if (unpacking_end(steal_ptr(threads->unpacking), base, ret, err) < 0)
        return -1;
    if (ret->ops)
        return 0;
    stop_precompress(threads);
    return start_precompress(threads, &base->sha256, err) < 0
               ? -1
               : unpack_base(base, job->cache, NULL, &job->common->run, threads->disk, ret, err);
}

/* Readers end before what they read from is freed. */
void base_threads_join(struct base_threads *threads)
{
    struct err ignored = {0};
    (void)!unpacking_end(steal_ptr(threads->unpacking), NULL, NULL, &ignored);
    stop_precompress(threads);
    progress_free(steal_ptr(threads->download));
}
