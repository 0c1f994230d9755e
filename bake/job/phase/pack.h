/* pack: the archive, complete but without a name.
 *
 * In:    the patched disk.
 * Out:   struct packed_image. The embedded files are hashed once more in the background while the disk is
 *        packed.
 * Fails: as pack does; ERR_VERIFY with CACHE_ROT when an embedded file is no longer what the plan says.
 * Owns:  struct packed_image owns the unnamed archive until packed_image_free(): it vanishes unless it is
 *        committed.
 */
#ifndef BAKE_FRONT_JOB_PHASE_PACK_H
#define BAKE_FRONT_JOB_PHASE_PACK_H

#include "bake/job/phase/patch.h"
#include "io/file.h"
#include "pack/types.h"

struct packed_image {
    struct newfile archive;
    struct packed packed;
};
#define PACKED_IMAGE_EMPTY                                                                                   \
    {                                                                                                        \
        .archive = NEWFILE_EMPTY                                                                             \
    }

/* Joins THREADS: what they had time to deflate comes from the cache. NAME is the package's. */
must_check int phase_pack(const struct bake_job *job, const struct image_options *options,
                          const struct fetched *fetched, const struct patched *patched, const char *name,
                          struct base_threads *threads, struct packed_image *ret, struct err *err);
void packed_image_free(struct packed_image *image);
#define cleanup_packed_image cleanup(packed_image_free)

#endif
