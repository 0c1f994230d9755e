/* One worker's memory for deflating segments.
 *
 * In:    the data blocks of a segment.
 * Out:   the packed segment, padded to whole blocks, and its record.
 * Fails: ERR_INTERNAL when the packed segment does not decode to its data.
 * Owns:  its memory until worker_scratch_free().
 */
#ifndef BAKE_PACK_SEGMENT_WORKER_SCRATCH_H
#define BAKE_PACK_SEGMENT_WORKER_SCRATCH_H

#include "pack/segment/deflate.h"
#include "pack/segment/segindex.h"

struct worker_scratch {
    struct deflater deflater;
    unsigned char *raw;      /* PACK_SEGMENT bytes */
    unsigned char *inflated; /* PACK_SEGMENT + 1 bytes */
};

must_check int worker_scratch_init(struct worker_scratch *scratch, enum deflate_engine engine,
                                   struct err *err);
void worker_scratch_free(struct worker_scratch *scratch);
#define cleanup_worker_scratch cleanup(worker_scratch_free)

/* Deflates the segment's data blocks, joined in scratch->raw, into OUT (deflate_bound(PACK_SEGMENT) bytes).
 * With VERIFY, for the cache, the result is also inflated and compared. */
must_check int worker_scratch_deflate(struct worker_scratch *scratch, const struct disk_segment *segment,
                                      bool verify, unsigned char *out, struct segment_record *ret,
                                      struct err *err);

#endif
