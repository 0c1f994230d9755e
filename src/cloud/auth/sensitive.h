/* Secrets in memory: guarded, locked and kept out of core dumps where the system allows it, wiped at the end.
 *
 * Out:   text in memory of libsodium's (sodium_malloc: mlock, MADV_DONTDUMP, guard pages).
 * Fails: ERR_INTERNAL: out of memory.
 * Owns:  the text, until sensitive_free().
 */
#ifndef BAKE_CLOUD_AUTH_SENSITIVE_H
#define BAKE_CLOUD_AUTH_SENSITIVE_H

#include <stddef.h>

#include "base/buf.h"
#include "json/json.h"

struct sensitive_text {
    char *text; /* NUL-terminated; NULL when empty */
    size_t len;
};

must_check int sensitive_set(struct sensitive_text *secret, const char *bytes, size_t len, struct err *err);
void sensitive_free(struct sensitive_text *secret);
#define cleanup_sensitive cleanup(sensitive_free)

/* A buffer for secrets allocates its whole capacity at once: growing would leave copies behind. */
must_check int sensitive_buf_init(struct buf *buf, size_t max, struct err *err);
void sensitive_buf_free(struct buf *buf);
#define cleanup_sensitive_buf cleanup(sensitive_buf_free)

/* Wipes the document's strings, then frees it. */
void sensitive_json_free(struct json_doc **doc);
#define cleanup_sensitive_json cleanup(sensitive_json_free)

#endif
