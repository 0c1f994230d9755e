/* What fetch returns: bytes that have not been verified yet. */
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
    /* The requested URL without credentials, for messages and provenance. Not a redirect's target, which may
     * change from day to day. */
    char *origin;
    struct sha256 sha256; /* of the bytes in fd, computed as they arrived */
    /* Of a local file, when sha256 was computed: once its identity differs, it must be hashed again. */
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
