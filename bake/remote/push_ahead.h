/* bake image --push: parts of the archive go to the bucket while it is packed.
 *
 * In:    the options of the push that will follow.
 * Out:   a sink for pack.
 * Fails: never: without a session, a bucket or memory the push that follows does it all, and says what is wrong.
 * Owns:  a session and a sender until push_ahead_end().
 */
#ifndef BAKE_FRONT_REMOTE_PUSH_AHEAD_H
#define BAKE_FRONT_REMOTE_PUSH_AHEAD_H

#include "pack/pack.h"
#include "bake/remote/push_options.h"

struct sender;

struct push_ahead {
    const struct push_options *options;
    struct cloud cloud;
    struct storage storage;
    struct sender *sender;
};

/* Called when packing begins: *ret stays NULL when nothing can be sent. AHEAD must not be moved afterwards. */
void push_ahead_begin(struct common *common, struct push_ahead *ahead, struct pack_sink *ret);
/* Waits for what is on its way. */
void push_ahead_end(struct push_ahead *ahead);
#define cleanup_push_ahead cleanup(push_ahead_end)

#endif
