/* The head of an image family: forward to a new image, or back to an older one, without a moment in which a reader of the
 * family gets nothing.
 *
 * In:    a family, and an image; or only the family, to go back to the image that its head replaced.
 * Out:   the image is the head, and the images it took the place of are deprecated with it as their replacement. An image of
 *        bake's that was pushed for no family has the label of this one from now on: prune goes by it.
 * Fails: ERR_REMOTE: no such image, one that is not ready, or older than the head without ROLLBACK.
 * Owns:  nothing.
 * Never: deprecates the last active image of a family; deprecates a newer one, without ROLLBACK.
 *
 * GCE gives readers of a family the newest image in it that is not deprecated. So the new image enters the family first,
 * and is the head at once; then the older ones are deprecated, the oldest first. Going back, the target is made active first
 * (which changes nothing for readers: the head is newer), then what is newer is deprecated, the head last.
 *
 * Readers may get the head before for a while after all that: the end waits until they do not, WAIT_S at most.
 *
 * Two promotions at once end with the newer image as the head, whichever is faster: neither deprecates what is newer than
 * its own. A rollback that meets a promotion checks in the end that the family has a head, and makes its own active again.
 */
#ifndef BAKE_CLOUD_LIFECYCLE_PROMOTE_H
#define BAKE_CLOUD_LIFECYCLE_PROMOTE_H

#include "cloud/client/dry_run.h"
#include "cloud/compute/images.h"

struct promote {
    struct images images;
    const char *family;
    const char *image; /* its name; NULL with rollback: what the head replaced */
    bool rollback;
    const struct dry_run *dry; /* NULL: do it */
};

enum promote_outcome {
    PROMOTE_DONE,
    PROMOTE_THERE,     /* it was the head already, and nothing else was active */
    PROMOTE_OVERTAKEN, /* somebody has promoted a newer one meanwhile */
};
struct promote_result {
    enum promote_outcome outcome;
    char image[IMAGE_NAME_MAX + 1];                             /* that was promoted */
    char before[IMAGE_NAME_MAX + 1], after[IMAGE_NAME_MAX + 1]; /* the family's head; "": none */
    unsigned deprecated;
};

must_check int promote_run(const struct promote *promote, struct promote_result *ret, struct err *err);

#endif
