/* What pack returns: a description of the archive, with everything that the package manifest pins.
 *
 * The terms of this stage:
 *   block    PACK_BLOCK bytes of the disk at an aligned offset: a hole when all are zero, else data.
 *   extent   consecutive data blocks: one entry of the sparse map in the tar header.
 *   segment  PACK_SEGMENT bytes of the disk at an aligned offset, with at least one data block. Its data
 *            blocks are deflated together and independently of other segments, so a segment is the unit of
 *            caching, hashing, copying and sending.
 *   frame    the first or last segment of the archive, which holds no disk data: the gzip and tar headers,
 *            or the end of the tar with gzip's trailer.
 *   record   what is known of a deflated segment: lengths, digests, checksums.
 *   batch    the segments that workers and consumers handle together: one to deflate, or several from the
 *            cache.
 *   archive  all segments one after the other: NAME.tar.gz.
 */
#ifndef BAKE_PACK_TYPES_H
#define BAKE_PACK_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/digest.h"

enum { PACK_BLOCK = 64 << 10, PACK_SEGMENT = 1 << 20, PACK_THREADS_MAX = 12 };

/* One segment of the archive. */
struct segment {
    uint64_t raw_off, raw_len;       /* bytes of disk.raw that it holds */
    uint64_t packed_off, packed_len; /* bytes of the archive */
    struct sha256 packed_sha256;
    uint32_t packed_crc32c; /* what Cloud Storage reports for an object with these bytes */
};

struct packed {
    uint64_t disk_size; /* of disk.raw, a whole number of GiB */
    /* The disk's identity. A plain SHA-256 of disk.raw would cost 0.7 s of processor time for each GiB of
     * holes, so this is the SHA-256 of: "bake disk 1\n"; the disk's size (8 bytes, little-endian, as all
     * numbers here); and for each aligned MiB that is not all zeros, ascending, its offset (8 bytes) and the
     * SHA-256 of its bytes (32). It pins every byte of the disk, and depends on neither the archive nor the
     * deflate engine. */
    struct sha256 disk_tree;
    uint64_t archive_size;
    struct sha256 archive_sha256;
    uint32_t archive_crc32c;
    struct segment *segments; /* consecutive: the archive is their concatenation */
    size_t segment_count;
};

static inline void packed_free(struct packed *packed)
{
    free(packed->segments);
    *packed = (struct packed){0};
}
#define cleanup_packed cleanup(packed_free)

#endif
