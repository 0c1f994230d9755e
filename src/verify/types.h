/* Verified bytes. Only verify_artifact() (verify/verify.h) makes a struct trusted, so holding one proves that
 * its bytes were verified. */
#ifndef BAKE_VERIFY_TYPES_H
#define BAKE_VERIFY_TYPES_H

#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "io/file.h"

enum { FINGERPRINT_CAP = 65 }; /* OpenPGP v4: 40 hex digits, v5: 64 */

struct trusted {
    int fd;                        /* read-only; -1 when empty */
    uint64_t size;                 /* bytes */
    struct sha256 sha256;          /* of the whole content */
    struct file_identity identity; /* of the file before it was hashed */
    /* The primary key's fingerprint in upper-case hex; "" when no signature was checked. */
    char signer[FINGERPRINT_CAP];
    char *origin; /* for messages and provenance */
};
#define TRUSTED_EMPTY                                                                                        \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

static inline void trusted_free(struct trusted *trusted)
{
    cleanup_close_fn(&trusted->fd);
    trusted->fd = -1;
    free(trusted->origin);
    trusted->origin = NULL;
}
#define cleanup_trusted cleanup(trusted_free)

#endif
