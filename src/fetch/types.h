/* What fetch gives: bytes that nobody has verified yet. */
#ifndef BAKE_FETCH_TYPES_H
#define BAKE_FETCH_TYPES_H

#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "io/file.h"

struct artifact {
    int fd;        /* read-only; -1 when empty */
    uint64_t size; /* bytes */
    /* The URL that was asked for, without credentials; for messages and provenance. Not where redirects led:
     * that may differ from one day to the next. */
    char *origin;
    struct sha256 sha256; /* of the bytes as they are in fd, computed while they came in */
    /* A local file: what it was when SHA256 was taken of it, and it is to be hashed again unless it is still
     * that. */
    struct file_identity identity;
};
#define ARTIFACT_EMPTY                                                                                       \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

static inline void artifact_free(struct artifact *artifact)
{
    cleanup_close_fn(&artifact->fd);
    artifact->fd = -1;
    free(artifact->origin);
    artifact->origin = NULL;
}
#define cleanup_artifact cleanup(artifact_free)

#endif
