/* Deflates a base while it is still being unpacked and the payload is being prepared. Whatever is finished in
 * time is in the segment cache when the disk is packed.
 *
 * In:    the options that the disk will be packed with (cache, base); the progress of unpacking.
 * Out:   an entry in the segment cache.
 * Fails: precompress_begin() when out of memory. Any other failure is logged and only costs time.
 * Owns:  one thread, until precompress_end().
 * Never: keeps anything of a base that was not completely unpacked.
 */
#ifndef BAKE_PACK_PRECOMPRESS_H
#define BAKE_PACK_PRECOMPRESS_H

#include "task/progress.h"
#include "pack/pack.h"

struct precompress;

/* PROGRESS belongs to the file that the base is unpacked to. It, the cache and RUN (but not OPTIONS) must
 * stay valid until precompress_end(). *ret is NULL when nothing can be saved: no cache, no base, or one
 * thread. */
must_check int precompress_begin(const struct pack_options *options, struct progress *progress,
                                 const struct run *run, struct precompress **ret, struct err *err);
/* Stops after the current segment. PRECOMPRESS may be NULL. */
void precompress_end(struct precompress *precompress);

#endif
