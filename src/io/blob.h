/* The content of one file to be embedded: where the bytes are, and their expected digest.
 *
 * Owns:  nothing: the memory or descriptor is borrowed. Its owner keeps it as long as the plan (see struct
 *        blob_store in unpack/member/member.h and the pipeline).
 */
#ifndef BAKE_IO_BLOB_H
#define BAKE_IO_BLOB_H

#include <stdint.h>

#include "base/digest.h"
#include "io/file.h"

struct blob {
    const void *memory; /* NULL: the content is in fd at off */
    int fd;             /* regular file, open for reading */
    uint64_t off;       /* bytes */
    uint64_t size;      /* bytes */
    struct sha256 sha256;
    struct file_identity identity; /* of the file when its content was hashed; inode 0: unknown */
};

/* A blob of SIZE bytes in memory, which are hashed. */
must_check int blob_from_memory(const void *bytes, uint64_t size, struct blob *ret, struct err *err);
must_check int blob_read(const struct blob *blob, void *bytes, size_t len, uint64_t off, struct err *err);

#endif
