/* The index at the end of a file of packed segments: what each contains, and the known segments of a view,
 * which need not be read.
 *
 * In:    the bytes of the index.
 * Out:   records and known segments.
 * Fails: false when it is damaged.
 * Owns:  its arrays, until segindex_free().
 *
 * The file: packed segments one after the other; RECORD_SIZE bytes for each (SHA-256 of its PACK_SEGMENT
 * bytes on the disk, SHA-256 of the packed bytes, then 32-bit numbers: bytes that were deflated, their
 * CRC-32, packed bytes, their CRC-32C); KNOWN_SIZE bytes for each known segment, sorted (its origin by
 * disk_origin(), mask of blocks in 16 bits, two zeros, SHA-256 of its bytes); TRAILER_SIZE bytes: magic,
 * number of records, number of known segments, size of the packed segments in 64 bits, CRC-32C of the index
 * without its trailer, zero. Numbers are little-endian.
 */
#ifndef BAKE_PACK_SEGMENT_SEGINDEX_H
#define BAKE_PACK_SEGMENT_SEGINDEX_H

#include "base/buf.h"
#include "pack/archive/sparse.h"

enum { RECORD_SIZE = 80, KNOWN_SIZE = 68, TRAILER_SIZE = 32, SEGINDEX_MAX = 32 << 20 };

struct segment_record {
    struct sha256 raw;           /* of the segment's PACK_SEGMENT bytes */
    struct sha256 sha256;        /* of the packed bytes */
    uint32_t raw_len, crc;       /* length and CRC-32 before deflating */
    uint32_t packed_len, crc32c; /* of the packed bytes */
    uint64_t off;                /* in the file */
};

struct known_segment {
    struct sha256 origin; /* by disk_origin() */
    struct sha256 raw;    /* of the bytes */
    uint16_t mask;        /* as a segment's; 0: all zeros */
    bool used;            /* by this bake; not stored in the file */
};

struct segindex {
    struct segment_record *records;
    struct known_segment *known;
    size_t record_count, known_count;
};

/* The size of the index, trailer included, that a trailer describes; 0 when it is not valid for a file of
 * FILE_SIZE bytes. */
size_t segindex_size(const unsigned char trailer[static TRAILER_SIZE], uint64_t file_size);

/* BYTES are the last LEN bytes of a file of FILE_SIZE; LEN comes from segindex_size(). */
must_check bool segindex_read(const unsigned char *bytes, size_t len, uint64_t file_size,
                              struct segindex *ret);
void segindex_free(struct segindex *index);
#define cleanup_segindex cleanup(segindex_free)

/* Appends the index of a file whose packed segments have DATA_SIZE bytes. */
void segindex_write(const struct segindex *index, uint64_t data_size, struct buf *ret);

#endif
