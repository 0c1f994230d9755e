/* A worker's desk: one segment from its bytes to what is kept of it.
 *
 * In:    the data blocks of a segment.
 * Out:   the packed segment, filled up to whole blocks, and its record.
 * Fails: ERR_INTERNAL when what was deflated does not decode to what it was made from.
 * Owns:  its memory until desk_free().
 */
#ifndef BAKE_PACK_SEGMENT_WORKER_SCRATCH_H
#define BAKE_PACK_SEGMENT_WORKER_SCRATCH_H

#include "pack/segment/deflate.h"
#include "pack/segment/segindex.h"

struct desk {
    struct deflater deflater;
    unsigned char *raw; /* PACK_SEGMENT bytes */
    unsigned char *scratch;
};

must_check int desk_init(struct desk *desk, enum deflate_engine engine, struct err *err);
void desk_free(struct desk *desk);
#define cleanup_desk cleanup(desk_free)

/* Deflates the piece's data blocks, which lie joined in desk->raw, to OUT (deflate_bound(PACK_SEGMENT) bytes). VERIFY: what is
 * to be kept is inflated, and compared, too. */
must_check int desk_deflate(struct desk *desk, const struct piece *piece, bool verify, unsigned char *out,
                            struct record *ret, struct err *err);

#endif
