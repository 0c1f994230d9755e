/* What pack gives: the archive, and everything about it that the package manifest pins. */
#ifndef BAKE_PACK_TYPES_H
#define BAKE_PACK_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct segment {
    uint64_t raw_off, raw_len;       /* bytes of disk.raw that it holds */
    uint64_t packed_off, packed_len; /* bytes of the archive */
    struct sha256 packed_sha256;
    uint32_t packed_crc32c; /* what Cloud Storage checks an object of these bytes by */
};

struct packed {
    uint64_t disk_size; /* of disk.raw, a whole number of GiB */
    /* The disk's identity. A plain SHA-256 of disk.raw would cost 0.7 s for each GiB of holes, on one processor; this is
     * the SHA-256 of: "bake disk 1\n"; the disk's size (8 bytes, little-endian, as all numbers here); and for each
     * aligned MiB that is not all zeros, ascending, its offset (8 bytes) and the SHA-256 of its bytes (32). It
     * pins every byte of the disk, and depends neither on the archive nor on the deflate engine. */
    struct sha256 disk_tree;
    uint64_t archive_size;
    struct sha256 archive_sha256;
    uint32_t archive_crc32c;  /* what Cloud Storage checks */
    struct segment *segments; /* consecutive: the archive is their concatenation */
    size_t segment_count;
};

void packed_free(struct packed *packed);
#define cleanup_packed cleanup(packed_free)

#endif
