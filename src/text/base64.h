/* Base64 (RFC 4648): the standard alphabet with padding, read strictly: no white space, no spare bits.
 *
 * In:    bytes, or text.
 * Fails: the decoders return false; a full buffer is reported by buf_check() (base/buf.h).
 */
#ifndef BAKE_TEXT_BASE64_H
#define BAKE_TEXT_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* True when TEXT decodes to at most CAPACITY bytes. */
bool base64_decode(const char *text, size_t len, void *out, size_t capacity, size_t *ret_size);

/* True when TEXT decodes to exactly SIZE bytes. */
bool base64_read(const char *text, size_t len, void *out, size_t size);

void base64_add(struct buf *buf, const void *bytes, size_t len);

/* The URL-safe alphabet without padding. */
void base64_add_url(struct buf *buf, const void *bytes, size_t len);

#endif
