/* Bundles, unpack's cache entries: pieces of content, then an index of them.
 *
 * In:    bytes, written once, in order; an index that the caller encodes as numbers and strings.
 * Out:   the SHA-256 of the whole file; on reading, the index.
 * Fails: ERR_SPACE, ERR_IO; reading: ERR_IO for a file that is not a bundle.
 * Format:content; index; 8 bytes magic, offset and length of the index as 64-bit little-endian. Numbers in
 *        the index are the same, strings are a number and that many bytes. Pieces may be aligned to
 *        BUNDLE_ALIGN, so that a file system with reflinks can share their blocks with the image.
 */
#ifndef BAKE_UNPACK_MEMBER_BUNDLE_H
#define BAKE_UNPACK_MEMBER_BUNDLE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/digest.h"

enum { BUNDLE_ALIGN = 4096, BUNDLE_INDEX_MAX = 64 << 20 };

struct bundle_writer {
    int fd; /* borrowed */
    uint64_t at;
    struct hasher hasher;
    unsigned char *pending; /* not written yet */
    size_t pending_len;
    struct buf index;
};

must_check int bundle_begin(struct bundle_writer *writer, int fd, struct err *err);
must_check int bundle_add(struct bundle_writer *writer, const void *bytes, size_t len, struct err *err);
must_check int bundle_align(struct bundle_writer *writer, struct err *err);
/* These append to the index. Failures are reported by bundle_end(). */
void bundle_put_number(struct bundle_writer *writer, uint64_t value);
void bundle_put_bytes(struct bundle_writer *writer, const void *bytes, size_t len);
must_check int bundle_end(struct bundle_writer *writer, struct sha256 *ret, struct err *err);
void bundle_free(struct bundle_writer *writer);
#define cleanup_bundle_writer cleanup(bundle_free)

/* Reading the index. Failures are sticky: all further numbers are 0, and bundle_read_end() fails. */
struct bundle_index {
    struct buf buf;
    size_t used;
    uint64_t content; /* bytes before the index */
    bool failed;
};
must_check int bundle_read(int fd, struct bundle_index *ret, struct err *err);
uint64_t bundle_get_number(struct bundle_index *index);
/* A NUL-terminated copy in ARENA. */
const char *bundle_get_string(struct bundle_index *index, struct arena *arena);
void bundle_get_bytes(struct bundle_index *index, void *bytes, size_t len);
/* Fails unless the whole index has been read without failure. */
must_check int bundle_read_end(struct bundle_index *index, struct err *err);
static inline void bundle_index_free(struct bundle_index *index)
{
    buf_free(&index->buf);
}
#define cleanup_bundle_index cleanup(bundle_index_free)

#endif
