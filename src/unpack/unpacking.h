/* Unpacks a base while it is still being fetched.
 *
 * In:    the digest and size that the lock requires; the progress of the download.
 * Out:   the disk, for a caller that presents the verified artifact with that digest.
 * Fails: unpacking_end() like unpack_base().
 * Owns:  a thread and an uncommitted entry of the cache, until unpacking_end().
 * Never: returns or keeps anything made from unverified bytes: the entry has no name, and its file disappears
 *        with its descriptor. The decoders do read unverified bytes, but they are written for hostile input.
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
/* Waits for the rest, or gives up if ARTIFACT is NULL. *ret stays empty if the artifact was not downloaded
 * (but cached, say) or anything failed: unpack_base() then reports why. Frees UNPACKING (or NULL). */
must_check int unpacking_end(struct unpacking *unpacking, const struct trusted *artifact, struct disk *ret,
                             struct err *err);

#endif
