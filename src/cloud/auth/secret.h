/* Secrets in memory: guarded, locked and left out of core dumps where the system lets it, wiped at the end.
 *
 * In:    bytes.
 * Out:   text in memory of libsodium's (sodium_malloc: mlock, MADV_DONTDUMP, guard pages).
 * Fails: ERR_INTERNAL: out of memory.
 * Owns:  the text, until secret_free().
 */
#ifndef BAKE_CLOUD_AUTH_SECRET_H
#define BAKE_CLOUD_AUTH_SECRET_H

#include <stddef.h>

#include "base/buf.h"
#include "json/json.h"

struct secret {
    char *text; /* NUL-terminated; NULL when empty */
    size_t len;
};

must_check int secret_set(struct secret *secret, const char *bytes, size_t len, struct err *err);
void secret_free(struct secret *secret);
#define cleanup_secret cleanup(secret_free)

/* A buffer for secrets takes all its room at once, so that it never moves and leaves copies behind. */
must_check int secret_buf_init(struct buf *buf, size_t max, struct err *err);
void secret_buf_free(struct buf *buf);
#define cleanup_secret_buf cleanup(secret_buf_free)

/* Wipes the document's strings, then frees it. */
void secret_json_free(struct json_doc **doc);
#define cleanup_secret_json cleanup(secret_json_free)

#endif
