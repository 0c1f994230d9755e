/* bake image --push: parts of the archive are sent to the bucket while it is packed.
 *
 * In:    the options of the push that will follow.
 * Out:   a sink for pack.
 * Fails: never: without a session, a bucket or memory, nothing is sent early; the push that follows reports
 *        the error.
 * Owns:  a session and a sender until early_upload_end().
 */
#ifndef BAKE_FRONT_REMOTE_EARLY_UPLOAD_H
#define BAKE_FRONT_REMOTE_EARLY_UPLOAD_H

#include "pack/pack.h"
#include "bake/remote/push_options.h"

struct sender;

struct early_upload {
    const struct push_options *options;
    struct session session;
    struct storage storage;
    struct sender *sender;
};

/* Called when packing begins: *ret stays NULL if nothing can be sent. EARLY must not move afterwards. */
void early_upload_begin(struct common *common, struct early_upload *early, struct pack_sink *ret);
/* Waits for requests in flight. */
void early_upload_end(struct early_upload *early);
#define cleanup_early_upload cleanup(early_upload_end)

#endif
