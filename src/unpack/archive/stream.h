/* Decompresses a source of bytes.
 *
 * In:    a source of bytes: a verified artifact, or a member of an archive.
 * Out:   the content of gzip (ISA-L; CRCs checked, members joined), xz, bzip2, zstd and lz4 (libarchive),
 *        recognised by magic numbers, after skippable frames; anything else unchanged.
 * Fails: ERR_VERIFY, with the offset, when data is damaged, truncated or followed by anything but zeros; the
 *        source's own errors.
 * Owns:  its buffers, until stream_close(); the source stays the caller's.
 * Never: runs an external filter program.
 */
#ifndef BAKE_UNPACK_ARCHIVE_STREAM_H
#define BAKE_UNPACK_ARCHIVE_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/run.h"

struct archive;

struct byte_source {
    void *ctx;
    /* Reads up to CAPACITY bytes; 0 at the end. */
    int (*read)(void *ctx, void *bytes, size_t capacity, size_t *ret_len, struct err *err);
    const char *name; /* for messages */
};

struct stream;

must_check int stream_open(const struct byte_source *source, const struct run *run, struct stream **ret,
                           struct err *err);
void stream_close(struct stream *stream);

/* The next block: at least 1 KiB except at the end, where it is shorter and then empty. Valid until the next
 * call. */
must_check int stream_next(struct stream *stream, const unsigned char **ret, size_t *ret_len,
                           struct err *err);
/* What the next stream_next() will return. */
must_check int stream_peek(struct stream *stream, const unsigned char **ret, size_t *ret_len,
                           struct err *err);

/* The source's own error if it has one, else ERR_VERIFY with libarchive's message, the source's name and the
 * offset. */
int stream_archive_error(const struct byte_source *source, struct archive *archive,
                         const struct err *source_err, struct err *err);

static inline void stream_close_fn(struct stream *const *stream)
{
    stream_close(*stream);
}
#define cleanup_stream cleanup(stream_close_fn)

#endif
