/* A base is unpacked while it is still being fetched.
 *
 * In:    the digest and size that it must have, by the lock; how far its download is.
 * Out:   the disk, to who shows the verified artifact of that digest.
 * Fails: unpacking_end() as unpack_base() does.
 * Owns:  a thread and an entry of the cache that is not one yet, until unpacking_end().
 * Never: gives out, or keeps, anything of bytes that were not verified: what they unpack to has no name, and vanishes with
 *        this. The decoders do see them before they are verified; they are written for hostile input, and for such bytes
 *        only the time is lost.
 */
#ifndef BAKE_UNPACK_UNPACKING_H
#define BAKE_UNPACK_UNPACKING_H

#include "unpack/unpack.h"

struct unpacking;

/* DOWNLOAD, the progress of an artifact of SIZE bytes that is to have the digest WANT; TO is told how far the disk is, and over
 * when unpacking_end() is. *ret is NULL when the cache has the disk already. All that is given must stay until the end. */
must_check int unpacking_begin(const struct sha256 *want, uint64_t size, struct progress *download,
                               struct cache *cache, const struct run *run, struct progress *to,
                               struct unpacking **ret, struct err *err);
/* ARTIFACT NULL: it is given up. Else waits for the rest; *ret stays empty when the download came in another way (out of the
 * cache, say), or anything went wrong: unpack_base() then says what. UNPACKING may be NULL, and is gone afterwards. */
must_check int unpacking_end(struct unpacking *unpacking, const struct trusted *artifact, struct disk *ret,
                             struct err *err);

#endif
