/* Extracts files from verified artifacts.
 *
 * In:    tar (plain, or gzip, xz, bzip2, zstd, lz4), zip, .deb (its data.tar), recognised by content;
 *        member paths as in a recipe: relative, normal. A leading "./" or "/" in the archive is ignored.
 * Out:   struct member, struct tree: descriptors of cache entries, and blobs in them.
 * Fails: ERR_VERIFY: no such member (the message lists similar names), not an archive, damaged, truncated, a
 *        wanted member that occurs twice or is a device or FIFO, or a link that leads out of the archive,
 *        nowhere, or through more than 8 links.
 * Owns:  the caller owns what is returned. The cache keeps each member (kind "member") and each tree
 *        ("tree"), so that a later bake need not decompress. Keys: SHA-256 of the format, the artifact's
 *        SHA-256 and the path.
 * Never: runs a program, creates a file under a name from the archive, follows a link out of the archive.
 */
#ifndef BAKE_UNPACK_MEMBER_MEMBER_H
#define BAKE_UNPACK_MEMBER_MEMBER_H

#include "base/run.h"
#include "cache/cache.h"
#include "unpack/types.h"
#include "verify/types.h"

enum { MEMBERS_MAX = 256, TREE_ENTRIES_MAX = 100000 };

/* Extracts COUNT (at most MEMBERS_MAX) regular files in one pass, or in two if symbolic or hard links inside
 * the archive must be followed. RET has COUNT elements, in the order of PATHS; on failure they are
 * unchanged. The last OPTIONAL of them may be missing in the archive: they are empty files then. */
must_check int unpack_members(const struct trusted *artifact, const char *const *paths, size_t count,
                              size_t optional, struct cache *cache, const struct run *run, struct member *ret,
                              struct err *err);

/* Extracts all below the folder PREFIX ("": the whole archive). Devices, FIFOs and sockets are refused. */
must_check int unpack_tree(const struct trusted *artifact, const char *prefix, struct cache *cache,
                           const struct run *run, struct tree *ret, struct err *err);

/* The whole artifact as one file, a bare binary, with a descriptor of its own. It has no metadata. */
must_check int unpack_whole(const struct trusted *artifact, struct member *ret, struct err *err);

#endif
