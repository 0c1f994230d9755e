/* Hexadecimal digits: written in lower case, read in either.
 *
 * In:    bytes, or text.
 * Fails: the decoders return false for anything but the expected digits; OUT is then undefined.
 */
#ifndef BAKE_TEXT_HEX_H
#define BAKE_TEXT_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The digit's value, -1 for any other character. */
int hex_digit(char c);

/* OUT holds 2 * len + 1 characters. */
void hex_encode(const uint8_t *bytes, size_t len, char *out);

/* True when the string HEX is exactly 2 * LEN digits. */
bool hex_decode(const char *hex, uint8_t *out, size_t len);

/* The same for the first 2 * LEN characters of HEX, which may be longer. */
bool hex_read(const char *hex, uint8_t *out, size_t len);

/* True when TEXT is LEN lower-case digits. */
bool hex_is_lower(const char *text, size_t len);

#endif
