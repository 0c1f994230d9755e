/* Files out of verified artifacts.
 *
 * In:    .tar (bare or by gzip, xz, bzip2, zstd, lz4), .zip, .deb (its data.tar), recognised by content;
 *        member paths as in a recipe: relative, normal. A leading "./" or "/" in the archive is ignored.
 * Out:   struct member, struct tree: descriptors of the cache and blobs on them.
 * Fails: ERR_VERIFY: no such member (the message lists near names), not an archive, damaged, cut short, a
 *        wanted member that occurs twice, is a device or FIFO, or whose links lead out, nowhere, or through
 *        more than 8.
 * Owns:  the caller owns what is returned. The cache keeps each member (kind "member") and each tree
 *        ("tree"), so that a later bake need not decompress. Keys: SHA-256 of the format, the artifact's
 *        SHA-256 and the path.
 * Never: runs a program, makes a file under a name from the archive, follows a link outside the archive.
 */
#ifndef BAKE_UNPACK_MEMBER_MEMBER_H
#define BAKE_UNPACK_MEMBER_MEMBER_H

#include "base/run.h"
#include "cache/cache.h"
#include "unpack/types.h"
#include "verify/types.h"

enum { MEMBERS_MAX = 256, TREE_ENTRIES_MAX = 100000 };

/* COUNT (at most MEMBERS_MAX) regular files in one pass, or two when symbolic or hard links inside the
 * archive must be followed. RET has COUNT elements, in the order of PATHS; on failure they are unchanged. */
must_check int unpack_members(const struct trusted *artifact, const char *const *paths, size_t count,
                              struct cache *cache, const struct run *run, struct member *ret,
                              struct err *err);

/* Everything below the folder PREFIX ("" for the whole archive). Devices, FIFOs and sockets are refused. */
must_check int unpack_tree(const struct trusted *artifact, const char *prefix, struct cache *cache,
                           const struct run *run, struct tree *ret, struct err *err);

/* The whole artifact, a bare binary, with a descriptor of its own. It has no mode. */
must_check int unpack_whole(const struct trusted *artifact, struct member *ret, struct err *err);

#endif
