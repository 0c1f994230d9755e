/* The threads that prepare the base in the background: it is unpacked while it is fetched, and deflated while
 * it is unpacked and while everything up to packing is done.
 *
 * In:    a job whose lock pins the base.
 * Out:   the unpacked disk, from base_threads_unpack(); deflated segments in the cache, for pack.
 * Fails: base_threads_unpack() as unpack_base() does. Without a thread everything works, later.
 * Owns:  up to two threads, and what they report their progress through. base_threads_join(), which runs on
 *        scope exit, stops and joins both: declare a struct base_threads after the job whose cache and stop
 *        flag its threads use.
 */
#ifndef BAKE_FRONT_JOB_PHASE_BASE_THREADS_H
#define BAKE_FRONT_JOB_PHASE_BASE_THREADS_H

#include "bake/job/inputs/job.h"
#include "bake/job/phase/options.h"
#include "disk/disk.h"
#include "verify/types.h"

struct precompress;
struct progress;
struct unpacking;

struct base_threads {
    const struct bake_job *job;
    const struct image_options *options;
    struct progress *download;       /* written by the fetcher, read by the unpacking thread */
    struct progress *disk;           /* written by the unpacker, read by the deflating thread */
    struct unpacking *unpacking;     /* NULL: not running */
    struct precompress *precompress; /* NULL: not running */
};

/* Starts both threads when the base is pinned, remote and not yet unpacked in the cache; otherwise does
 * nothing. */
must_check int base_threads_start(const struct bake_job *job, const struct image_options *options,
                                  struct base_threads *ret, struct err *err);
/* What the fetcher reports the base's download to; NULL when nothing waits for it. */
struct progress *base_threads_download(const struct base_threads *threads);
/* Joins the unpacking thread and gives its disk, or unpacks BASE here. Deflating goes on in the background
 * until the join. */
must_check int base_threads_unpack(struct base_threads *threads, const struct trusted *base, struct disk *ret,
                                   struct err *err);
void base_threads_join(struct base_threads *threads);
#define cleanup_base_threads cleanup(base_threads_join)

#endif
