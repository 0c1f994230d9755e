/* The base: from a verified artifact to a disk that may be written.
 *
 * In:    a raw disk, bare or as the one regular member (disk.raw, or any *.raw or *.bin) of a tar archive,
 *        bare or compressed by gzip, xz, bzip2 or zstd. What it is, is told by its content, never by its
 *        name.
 * Out:   a private, sparse copy in an unnamed file beside the cache: writing to it touches nothing else, and
 *        it vanishes with its descriptor. Holes of GNU sparse members stay holes; runs of zeros become
 *        holes.
 * Fails: ERR_VERIFY when it is cut short, damaged, too large, or not one disk: links, devices, names that
 *        are absolute or hold "..", a second member, bytes after the end. ERR_SPACE when this machine has no
 *        room.
 * Owns:  the caller owns the disk. The cache keeps the unpacked data (kind "base", key the artifact's
 *        SHA-256), without its holes.
 * Never: runs a program, makes a file under a name from the archive.
 */
#ifndef BAKE_UNPACK_UNPACK_H
#define BAKE_UNPACK_UNPACK_H

#include "base/run.h"
#include "io/cache.h"
#include "io/disk.h"
#include "verify/types.h"

struct unpack_limits {
    uint64_t max_size;  /* bytes of the disk, holes included; 0: 64 GiB */
    unsigned max_ratio; /* bytes of data (not zeros) for one byte of the artifact; 0: 2000 */
};

/* LIMITS may be NULL: the defaults. */
must_check int unpack_disk(const struct trusted *artifact, struct cache *cache,
                           const struct unpack_limits *limits, const struct run *run, struct disk *ret,
                           struct err *err);

#endif
