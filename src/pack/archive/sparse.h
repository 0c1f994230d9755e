/* Where a disk has data, in blocks of PACK_BLOCK, and what each segment holds. The map depends only on the
 * disk's bytes.
 *
 * In:    a disk; optionally, known segments, which are not read.
 * Out:   one segment for each PACK_SEGMENT that is not all zeros, ascending.
 * Fails: as the disk does; ERR_INTERRUPTED.
 * Owns:  its segments, until sparse_free().
 *
 * The file system's holes only save reading: zeros that are stored count as a hole, too. Memory and time grow
 * with the data, not with the disk's size.
 */
#ifndef BAKE_PACK_ARCHIVE_SPARSE_H
#define BAKE_PACK_ARCHIVE_SPARSE_H

#include <assert.h>

#include "base/digest.h"
#include "disk/disk.h"
#include "base/run.h"
#include "pack/types.h"

struct disk_segment {
    uint32_t number;      /* number on the disk */
    uint16_t mask;        /* bit N is set when block N is not all zeros; never 0 in a map */
    struct sha256 sha256; /* of all PACK_SEGMENT bytes, zeros included */
    bool known;           /* from struct sparse_cache, not read */
    uint32_t crc;         /* CRC-32 of its data blocks; only when it was read */
};
static_assert(PACK_SEGMENT / PACK_BLOCK == 16, "a mask has a bit for each block");

struct sparse {
    uint64_t size; /* bytes of the disk, a multiple of PACK_SEGMENT */
    struct disk_segment *segments;
    size_t count;
    uint64_t data_size; /* bytes of all blocks that are not zeros */
};

/* Segments whose content is known without reading them. Both functions are called from one thread, in
 * ascending order. */
struct sparse_cache {
    /* True when the segment is known; a mask of 0 means all zeros. */
    bool (*known)(void *ctx, uint32_t segment, struct disk_segment *ret);
    /* Called for each segment that had to be read. */
    int (*learn)(void *ctx, const struct disk_segment *segment, struct err *err);
    void *ctx;
};

/* CACHE may be NULL. */
must_check int sparse_scan(const struct disk *disk, unsigned threads, const struct sparse_cache *cache,
                           const struct run *run, struct sparse *ret, struct err *err);
static inline void sparse_free(struct sparse *sparse)
{
    cleanup_free_fn(&sparse->segments);
    sparse->segments = NULL;
}
#define cleanup_sparse cleanup(sparse_free)

/* Calls FN for each run of consecutive data blocks, in order, until it fails. */
must_check int sparse_each_extent(const struct sparse *sparse,
                                  int (*fn)(void *ctx, uint64_t off, uint64_t len, struct err *err),
                                  void *ctx, struct err *err);

/* Bytes of a segment's data blocks. */
static inline size_t segment_data_len(const struct disk_segment *segment)
{
    return (size_t)__builtin_popcount(segment->mask) * PACK_BLOCK;
}

/* Sets a segment's mask, CRC-32 and, unless all are zeros, digest from its PACK_SEGMENT bytes. */
must_check int sparse_examine(const unsigned char *bytes, struct disk_segment *segment, struct err *err);

/* Reads the data blocks of one segment, joined, into OUT: segment_data_len() bytes, at most PACK_SEGMENT. */
must_check int sparse_read(const struct disk *disk, const struct disk_segment *segment, unsigned char *out,
                           struct err *err);

/* Checks that BYTES, from sparse_read(), are unchanged since the segment was hashed: ERR_VERIFY with
 * CACHE_ROT if not. */
must_check int sparse_check(const struct disk_segment *segment, const unsigned char *bytes, struct err *err);

/* The disk's identity, from the digests of its segments: see disk_tree in pack/types.h. */
must_check int sparse_tree(const struct sparse *sparse, struct sha256 *ret, struct err *err);

#endif
