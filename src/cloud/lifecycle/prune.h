/* Deletes old images of one family, and what the bucket no longer needs.
 *
 * In:    a family, how many images to keep, how old the others must be; a bucket, or none.
 * Out:   those images are deprecated, then deleted; then the bucket's archives and documents whose image is
 *        gone, and segments that no package needs. Each image of the family that is left alone is reported,
 *        with the reason.
 * Fails: as images.h and storage.h say. ERR_VERIFY: a claim that cannot be read: nothing in the bucket is
 *        deleted then. ERR_REMOTE: nothing belongs to the family, in the project or in the bucket, as when
 *        its name is misspelt.
 * Never: touches the family's head, the KEEP newest of the family, the KEEP newest that never were in it, an
 *        image of another family, without the labels asked for, or that bake did not make; deletes from the
 *        bucket what is younger than SAFETY_MS, or what a claim of another family or project names. A claim
 *        of no family may go once its image is gone: that image was pushed without a family, and may have
 *        been promoted into this one.
 *
 * An image belongs to the family when it is in it, or when it was pushed for it and never promoted. Objects
 * that a retention policy or a hold protects are counted; a later prune deletes them.
 *
 * A push stores its claim before it looks at the bucket, so a prune that reads the claims later keeps what it
 * needs. One that read them earlier may delete an old segment under a push: that push finds it missing and
 * sends it again (upload.c).
 */
#ifndef BAKE_CLOUD_LIFECYCLE_PRUNE_H
#define BAKE_CLOUD_LIFECYCLE_PRUNE_H

#include "cloud/client/dry_run.h"
#include "cloud/compute/images.h"
#include "cloud/storage/storage.h"

/* Called for each image of the family that prune does not touch. */
struct prune_left {
    void (*report)(void *ctx, const char *image, const char *why);
    void *ctx;
};

struct prune {
    struct images images;
    const struct storage *storage; /* NULL: images only */
    const char *prefix;
    const char *family;
    const struct label *labels; /* an image must have all of them */
    size_t label_count;
    uint64_t keep;     /* at least 1 */
    int64_t older_ms;  /* younger images stay */
    int64_t safety_ms; /* younger objects in the bucket stay */
    int64_t now_ms;    /* since 1970 */
    unsigned threads;
    const struct dry_run *dry; /* NULL: do it */
    struct prune_left left;
};

struct prune_result {
    unsigned images, kept;   /* deleted; of the family and label set, not deleted */
    unsigned left;           /* of the family, but not bake's, or without a label asked for */
    unsigned packages;       /* whose objects were deleted */
    uint64_t objects, bytes; /* of the bucket */
    uint64_t retained;       /* objects that a retention policy or a hold protects */
};

must_check int prune_run(const struct prune *prune, struct prune_result *ret, struct err *err);

#endif
