/* The deflate engines. One call makes one segment of a deflate stream (RFC 1951).
 *
 * In:    all the bytes at once.
 * Out:   deflate blocks that refer to nothing before them and end on a byte boundary (with an empty stored
 *        block), so that segments may be joined; the last segment ends the stream instead.
 * Fails: ERR_INTERNAL when the capacity is less than deflate_bound(), or when the output does not decode.
 * Owns:  its work memory until deflater_free().
 *
 * DEFLATE_FAST is ISA-L, level 2. Its level 3 differs between processors; levels 1 and 2 run the same code on
 * every processor with SSE4.2, except for one bug (2.30, igzip_icf_body_h1_gr_bt.asm, .write_first_byte): the
 * hash of a stream's third byte is taken from the register that holds the address of struct isal_zstream, so
 * that about one result in three thousand depends on that address. This path is only taken for the first byte
 * of a stream when more than 16 bytes are available, so the first PRIME bytes are passed alone and flushed.
 *
 * DEFLATE_SMALL is libdeflate, level 6. It marks the last block of every buffer as the stream's last; to find
 * and clear that mark, zlib's decoder walks over the blocks and compares the content on the way.
 *
 * Empty blocks pad a segment to a multiple of DEFLATE_ALIGN bytes, so that a file system can share it between
 * files.
 *
 * deflate_is_reference() detects a library whose output differs from the reference recorded here.
 */
#ifndef BAKE_PACK_SEGMENT_DEFLATE_H
#define BAKE_PACK_SEGMENT_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum deflate_engine { DEFLATE_FAST, DEFLATE_SMALL };
enum {
    DEFLATE_ALIGN = 4096 /* the block size of file systems with reflinks */,
    DEFLATE_FILL_MAX = DEFLATE_ALIGN + 20
};

struct isal_zstream;
struct libdeflate_compressor;

struct deflater {
    enum deflate_engine engine;
    struct isal_zstream *stream;         /* fast */
    unsigned char *level;                /* fast: ISA-L's work memory */
    struct libdeflate_compressor *small; /* small */
};

must_check int deflater_init(struct deflater *deflater, enum deflate_engine engine, struct err *err);
void deflater_free(struct deflater *deflater);
#define cleanup_deflater cleanup(deflater_free)

/* LEN is 1 byte to 1 GiB. The result depends only on the arguments and the engine. */
must_check int deflate_segment(struct deflater *deflater, const void *bytes, size_t len, bool last, void *out,
                               size_t capacity, size_t *ret_len, struct err *err);
/* The capacity needed for LEN bytes of any content, and for deflate_fill() after them. */
size_t deflate_bound(size_t len);

/* Pads LEN bytes of output, which end with a segment that is not the stream's last, to a multiple of
 * DEFLATE_ALIGN. Returns the new length, less than LEN + DEFLATE_FILL_MAX. */
size_t deflate_fill(unsigned char *out, size_t len);

/* Decodes a segment and compares it with the LEN bytes: ERR_INTERNAL when they differ. SCRATCH holds LEN + 1
 * bytes. DEFLATE_SMALL does not need this: it compares its output itself. */
must_check int deflate_verify(const void *segment, size_t segment_data_len, const void *bytes, size_t len,
                              void *scratch, struct err *err);

/* The engine's name, version and padding, which are part of what determines the bytes. Static. */
const char *deflate_engine_name(enum deflate_engine engine);

/* Deflates a known sample: false when this machine's library does not give the reference's bytes. */
must_check int deflate_is_reference(enum deflate_engine engine, bool *ret, struct err *err);

#endif
