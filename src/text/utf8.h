/* UTF-8 (RFC 3629): no surrogates, no overlong forms, nothing over U+10FFFF.
 *
 * In:    bytes and their number; a terminating NUL is not needed.
 */
#ifndef BAKE_TEXT_UTF8_H
#define BAKE_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The length in bytes of the character at TEXT; 0 when it is malformed or truncated, or LEN is 0. */
size_t utf8_char(const char *text, size_t len);

/* The number of bytes before the first NUL or malformed character. */
size_t utf8_valid(const char *text, size_t len);

/* True when all of TEXT is UTF-8 without a NUL. */
bool utf8_ok(const char *text, size_t len);

/* True when the character of LEN bytes is a control character: C0, DEL or C1. */
bool utf8_is_control(const char *character, size_t len);

#endif
