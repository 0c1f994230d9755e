/* The deflate engine: zlib, level 1. One call makes one piece of a deflate stream (RFC 1951).
 *
 * In:    bytes, all of them at once.
 * Out:   deflate blocks that refer to nothing before them and end on a byte boundary (an empty stored
 *        block), so that pieces may be joined; the last piece ends the stream instead.
 * Fails: ERR_INTERNAL when the room is less than deflate_bound().
 * Owns:  its work memory until deflater_free().
 *
 * Why not ISA-L, which is five times as fast: it does not always give the same bytes. Of about fifty bakes of one disk
 * (2.30, level 1, AVX-512) three had one segment of 536 one byte longer, with equal content; level 3 differs between
 * processors, too. The same bytes are a promise; speed is not. zlib's are the same on every processor, and
 * deflate_is_reference() tells a zlib whose bytes are not.
 */
#ifndef BAKE_PACK_DEFLATE_H
#define BAKE_PACK_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct z_stream_s;

struct deflater {
    struct z_stream_s *stream;
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
