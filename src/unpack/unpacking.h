/* Unpacks a base while it is still being fetched.
 *
 * In:    the digest and size that it must have according to the lock; the progress of its download.
 * Out:   the disk, for a caller that presents the verified artifact of that digest.
 * Fails: unpacking_end() like unpack_base().
 * Owns:  a thread and an uncommitted entry of the cache, until unpacking_end().
 * Never: returns or keeps anything made of unverified bytes: the entry has no name and disappears with this.
 *        The decoders do read bytes before they are verified; they are written for hostile input, and only
 *        time is lost.
 */
#ifndef BAKE_UNPACK_UNPACKING_H
#define BAKE_UNPACK_UNPACKING_H

#include "unpack/unpack.h"

struct unpacking;

/* DOWNLOAD is the progress of an artifact of SIZE bytes with the digest WANT. TO is the progress of the disk;
 * it ends in unpacking_end(). *ret is NULL when the cache has the disk already. All arguments must stay valid
 * until the end. */
must_check int unpacking_begin(const struct sha256 *want, uint64_t size, struct progress *download,
                               struct cache *cache, const struct run *run, struct progress *to,
                               struct unpacking **ret, struct err *err);
/* Waits for the rest; gives up when ARTIFACT is NULL. *ret stays empty when the artifact came another way
 * (from the cache, say) or anything failed: unpack_base() then reports why. Frees UNPACKING, which may be
 * NULL. */
must_check int unpacking_end(struct unpacking *unpacking, const struct trusted *artifact, struct disk *ret,
                             struct err *err);

#endif
