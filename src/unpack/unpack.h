/* Unpacks the base: from a verified artifact to a disk.
 *
 * In:    a raw disk, bare or as the only regular member (disk.raw, or any *.raw or *.bin) of a tar archive,
 *        plain or compressed with gzip, xz, bzip2, zstd or lz4. The content decides, never the name.
 * Out:   a disk that may be written; writes touch nothing else. Holes of GNU sparse members stay holes, runs
 *        of zeros become holes.
 * Fails: ERR_VERIFY when it is truncated, damaged, too large, or not one disk: links, devices, names that are
 *        absolute or contain "..", a second member, bytes after the end. ERR_SPACE, ERR_IO: this machine.
 * Owns:  the caller owns the disk. The cache keeps it unpacked, as a sparse file (kind "disk", key the
 *        artifact's SHA-256); an entry whose identity changed, or that must be rechecked, is unpacked again.
 * Never: runs a program, creates a file under a name from the archive.
 */
#ifndef BAKE_UNPACK_UNPACK_H
#define BAKE_UNPACK_UNPACK_H

#include "base/run.h"
#include "cache/cache.h"
#include "disk/disk.h"
#include "task/progress.h"
#include "verify/types.h"

struct unpack_limits {
    uint64_t max_size;  /* bytes of the disk, holes included; 0: 64 GiB */
    unsigned max_ratio; /* bytes of data (not zeros) per byte of the artifact; 0: 2000 */
};

/* A view of the cache's entry (disk_over()). LIMITS NULL: the defaults. PROGRESS, which may be NULL, advances
 * while the disk is unpacked; if the entry exists already, it only ends. */
must_check int unpack_base(const struct trusted *artifact, struct cache *cache,
                           const struct unpack_limits *limits, const struct run *run,
                           struct progress *progress, struct disk *ret, struct err *err);
/* A private copy in an unnamed file beside the cache, for callers that need a file; closing it removes it. */
must_check int unpack_disk(const struct trusted *artifact, struct cache *cache,
                           const struct unpack_limits *limits, const struct run *run, struct disk *ret,
                           struct err *err);

#endif
