/* Copies a file's data from a reader into bundles: shared by members and trees. */
#ifndef BAKE_UNPACK_MEMBER_CONTENT_H
#define BAKE_UNPACK_MEMBER_CONTENT_H

#include "unpack/member/bundle.h"
#include "unpack/archive/reader.h"
#include "unpack/types.h"

static const uint64_t CONTENT_MAX = UINT64_C(16) << 30; /* bytes of all wanted files of one archive */
static const uint64_t ARCHIVE_MAX = UINT64_C(64) << 30; /* bytes of one archive, decompressed */

struct bundle_piece {
    uint64_t off, size; /* in the bundle */
    struct sha256 sha256;
};

/* Writes the current entry, holes as zeros, to COUNT bundles. ENTRY_SIZE is the size in its header. */
must_check int content_copy(struct reader *reader, uint64_t entry_size, struct bundle_writer *const *writers,
                            size_t count, struct bundle_piece *ret, const char *name, struct err *err);

/* Write a piece to an index and read it back. Reading checks its bounds. */
void content_put(struct bundle_writer *writer, const struct bundle_piece *content);
void content_get(struct bundle_index *index, int fd, struct blob *ret);

/* The same for the archive's metadata. */
void content_put_meta(struct bundle_writer *writer, const struct file_meta *meta);
void content_get_meta(struct bundle_index *index, struct file_meta *ret);

/* A cache entry's key: SHA-256 of the entries' format, the artifact's SHA-256 and TEXT. */
must_check int content_key(const struct trusted *artifact, const char *text, char ret[static SHA256_HEX],
                           struct err *err);

#endif
