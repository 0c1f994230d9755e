/* Old images of one family, and what nobody needs of the bucket any longer.
 *
 * In:    a family, how many to keep, how old the others must be; a bucket, or none.
 * Out:   those images are deprecated, then deleted; then, of the bucket, archives and documents whose image is gone, and
 *        segments that no package needs.
 * Fails: as images.h and storage.h say. ERR_VERIFY: a claim that cannot be understood: nothing of the bucket goes then.
 * Owns:  nothing.
 * Never: touches the family's head, the KEEP newest of the family, the KEEP newest that never were in it, an image of
 *        another family, without the labels asked for, or that bake did not make; removes from the bucket what is younger
 *        than SAFETY_MS, or what a claim of another family or project names.
 *
 * A push claims what it needs before it looks what is there, so a prune that reads the claims later keeps it. One that read
 * them earlier may take an old segment from under a push: that push finds it missing, and sends it again (upload.c).
 */
#ifndef BAKE_CLOUD_PRUNE_H
#define BAKE_CLOUD_PRUNE_H

#include "cloud/push.h"

struct prune {
    struct images images;
    const struct storage *storage; /* NULL: images only */
    const char *prefix;
    const char *family;
    const struct label *labels; /* all must be there */
    size_t label_count;
    uint64_t keep;     /* at least 1 */
    int64_t older_ms;  /* images younger than this stay */
    int64_t safety_ms; /* of objects in the bucket */
    int64_t now_ms;    /* since 1970 */
    unsigned threads;
    const struct dry_run *dry; /* NULL: do it */
};

struct prune_result {
    unsigned images, kept;   /* deleted; of the family and label set, not deleted */
    unsigned packages;       /* whose objects went */
    uint64_t objects, bytes; /* of the bucket */
};

must_check int prune_run(const struct prune *prune, struct prune_result *ret, struct err *err);

/* prune_bucket.c. IMAGES, of which GOES[i] marks those that this run deletes: for a dry run, when they are still there. */
must_check int prune_bucket(const struct prune *prune, const struct image_list *images, const bool *goes,
                            struct prune_result *result, struct err *err);
bool prune_dry(const struct prune *prune, const char *url, const char *detail);

#endif
