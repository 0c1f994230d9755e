/* Strict base64 of exactly so many bytes: the standard alphabet, padding present, no white space, no spare
 * bits.
 *
 * In:    text and the size it must decode to.
 * Out:   bytes.
 * Fails: by answering false.
 */
#ifndef BAKE_BASE_BASE64_H
#define BAKE_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

bool base64_read(const char *text, size_t len, void *out, size_t size);
void base64_add(struct buf *buf, const void *bytes, size_t len);

#endif
