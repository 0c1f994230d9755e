/* Old images of one family, and what nobody needs of the bucket any longer.
 *
 * In:    a family, how many to keep, how old the others must be; a bucket, or none.
 * Out:   those images are deprecated, then deleted; then, of the bucket, archives and documents whose image is gone, and
 *        segments that no package needs. Told: each image of the family that is left alone, and why.
 * Fails: as images.h and storage.h say. ERR_VERIFY: a claim that cannot be understood: nothing of the bucket goes then.
 *        ERR_REMOTE: no image is meant, and nothing of the bucket, as when a name is misspelt.
 * Owns:  nothing.
 * Never: touches the family's head, the KEEP newest of the family, the KEEP newest that never were in it, an image of
 *        another family, without the labels asked for, or that bake did not make; removes from the bucket what is younger
 *        than SAFETY_MS, or what a claim of another family or project names. A claim of no family is nobody's once its
 *        image is gone: such an image was pushed without a family, and may have been promoted into this one.
 *
 * An image is of the family when it is in it, or when it was pushed for it and never promoted. What a retention policy or a
 * hold keeps in the bucket is counted; a later prune takes it.
 *
 * A push claims what it needs before it looks what is there, so a prune that reads the claims later keeps it. One that read
 * them earlier may take an old segment from under a push: that push finds it missing, and sends it again (upload.c).
 */
#ifndef BAKE_CLOUD_LIFECYCLE_PRUNE_H
#define BAKE_CLOUD_LIFECYCLE_PRUNE_H

#include "cloud/lifecycle/push.h"

/* Told of an image of the family that prune does not touch. */
struct prune_left {
    void (*tell)(void *ctx, const char *image, const char *why);
    void *ctx;
};

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
    struct prune_left left;
};

struct prune_result {
    unsigned images, kept;   /* deleted; of the family and label set, not deleted */
    unsigned left;           /* of the family, but not bake's, or without a label asked for */
    unsigned packages;       /* whose objects went */
    uint64_t objects, bytes; /* of the bucket */
    uint64_t retained;       /* objects that the bucket's retention policy or a hold keeps */
};

must_check int prune_run(const struct prune *prune, struct prune_result *ret, struct err *err);

/* prune_bucket.c. IMAGES, of which GOES[i] marks those that this run deletes: for a dry run, when they are still there.
 * KNOWN: the family has images; else a claim must name it. */
must_check int prune_bucket(const struct prune *prune, const struct image_list *images, const bool *goes,
                            bool known, struct prune_result *result, struct err *err);
/* Nothing is meant. Returns -1. */
int prune_unknown(const struct prune *prune, size_t images, struct err *err);
bool prune_dry(const struct prune *prune, const char *url, const char *detail);

#endif
