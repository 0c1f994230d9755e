/* claims/PROJECT/NAME.json: what one image's package needs of its bucket. Push stores it first, prune goes by
 * it. */
#ifndef BAKE_CLOUD_PUSH_CLAIM_H
#define BAKE_CLOUD_PUSH_CLAIM_H

#include "base/buf.h"
#include "cloud/upload/parts.h"
#include "json/json.h"

enum { CLAIM_MAX = 96 << 20 };

struct claim {
    struct json_doc *doc;
    const char *package, *image; /* names */
    const char *family;          /* that the image is meant for; "": none */
    const cJSON *segments;       /* array of names */
};

/* FAMILY may be NULL. */
must_check int claim_write(const char *package, const char *image, const char *family,
                           const struct parts *parts, struct buf *ret, struct err *err);
/* NAME is the object's, for messages. ERR_VERIFY: not a claim. */
must_check int claim_read(const char *text, size_t len, const char *name, struct claim *ret, struct err *err);
void claim_free(struct claim *claim);
#define cleanup_claim cleanup(claim_free)

#endif
