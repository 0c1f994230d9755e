/* The deflate engine: ISA-L, level 1. One call makes one piece of a deflate stream (RFC 1951).
 *
 * In:    bytes, all of them at once.
 * Out:   deflate blocks that refer to nothing before them and end on a byte boundary (an empty stored
 *        block), so that pieces may be joined; the last piece ends the stream instead.
 * Fails: ERR_INTERNAL when the room is less than deflate_bound().
 * Owns:  its work memory until deflater_free().
 *
 * Same bytes everywhere? Seen with ISA-L 2.30 on 400 MB: level 1 gives the same bytes with SSE4.2, AVX, AVX2
 * and AVX-512; level 3 does not, and no level does on a processor without SSE4.2. So level 1 it is, and
 * deflate_is_reference() tells when this machine is one of the others.
 */
#ifndef BAKE_PACK_DEFLATE_H
#define BAKE_PACK_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct isal_zstream;

struct deflater {
    struct isal_zstream *stream;
    unsigned char *memory;
};

must_check int deflater_init(struct deflater *deflater, struct err *err);
void deflater_free(struct deflater *deflater);
#define cleanup_deflater cleanup(deflater_free)

/* LEN is at most 1 GiB. The result depends on the arguments alone. */
must_check int deflate_piece(struct deflater *deflater, const void *bytes, size_t len, bool last, void *out,
                             size_t room, size_t *ret_len, struct err *err);
/* Room that always suffices for LEN bytes. */
size_t deflate_bound(size_t len);

/* Deflates a known sample: false when this machine's library gives other bytes than the reference. */
must_check int deflate_is_reference(bool *ret, struct err *err);

#endif
