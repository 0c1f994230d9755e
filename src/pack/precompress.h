/* A base is deflated while it is still being unpacked, and while the payload is made ready: what it had time for is in the
 * segment cache when the disk is packed.
 *
 * In:    the options that the disk will be packed with (cache, base); how far the base is unpacked.
 * Out:   an entry of the segment cache.
 * Fails: precompress_begin() when out of memory. Anything else that goes wrong is logged, and only costs time.
 * Owns:  one thread, beside the one that unpacks, until precompress_end().
 * Never: keeps anything of a base that was not unpacked to its end.
 */
#ifndef BAKE_PACK_PRECOMPRESS_H
#define BAKE_PACK_PRECOMPRESS_H

#include "task/progress.h"
#include "pack/pack.h"

struct precompress;

/* FLOW is of the file that the base is unpacked to. It, the cache and RUN (not OPTIONS) must stay until the end. *ret is NULL when there is
 * nothing to be won: no cache, no base, one thread. */
must_check int precompress_begin(const struct pack_options *options, struct progress *progress,
                                 const struct run *run, struct precompress **ret, struct err *err);
/* Stops after the segment at hand. PRECOMPRESS may be NULL. */
void precompress_end(struct precompress *precompress);

#endif
