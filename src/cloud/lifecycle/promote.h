/* Makes an image the head of its family: forward to a new one, or back to an older one. At no moment do
 * readers of the family get nothing.
 *
 * In:    a family, and an image; or only the family, to go back to the image that its head replaced.
 * Out:   the image is the head, and the images that it replaced are deprecated and point to it. An image that
 *        bake pushed for no family gets the label of this one: prune goes by it.
 * Fails: ERR_REMOTE: the image does not exist, is not ready, or is older than the head without ROLLBACK; or
 * its versions are not the next ones: cloud/lifecycle/skew.h. Never: deprecates the last active image of a
 * family; deprecates a newer one without ROLLBACK.
 *
 * GCE gives readers of a family its newest image that is not deprecated. So a new image first enters the
 * family, which makes it the head, then the older ones are deprecated, the oldest first. Going back, the
 * target is made active first (which changes nothing for readers: the head is newer), then the newer ones are
 * deprecated, the head last.
 *
 * Readers may get the previous head for a while after that: the last step waits until they do not, WAIT_S at
 * most.
 *
 * Of two concurrent promotions the newer image ends up as the head, whichever finishes first: neither
 * deprecates an image newer than its own. A rollback that meets a promotion checks at the end that the family
 * has a head, and if not makes its own image active again.
 */
#ifndef BAKE_CLOUD_LIFECYCLE_PROMOTE_H
#define BAKE_CLOUD_LIFECYCLE_PROMOTE_H

#include "cloud/client/dry_run.h"
#include "cloud/lifecycle/skew.h"

struct promote {
    struct images images;
    const char *family;
    const char *image; /* its name; NULL with rollback: the one that the head replaced */
    struct skew_rules rules;
    const struct dry_run *dry; /* NULL: do it */
};

enum promote_outcome {
    PROMOTE_DONE,
    PROMOTE_UNCHANGED, /* it was the head already, and nothing else was active */
    PROMOTE_OVERTAKEN, /* another promotion of a newer image won */
};
struct promote_result {
    enum promote_outcome outcome;
    char image[IMAGE_NAME_MAX + 1];                             /* the one that was promoted */
    char before[IMAGE_NAME_MAX + 1], after[IMAGE_NAME_MAX + 1]; /* the family's head; "": none */
    unsigned deprecated;
};

must_check int promote_run(const struct promote *promote, struct promote_result *ret, struct err *err);

#endif
