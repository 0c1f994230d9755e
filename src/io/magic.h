/* Recognizes a file's format by its first bytes, for messages about a file of the wrong kind.
 *
 * In:    the first bytes of a file; MAGIC_BYTES of them are enough for every format.
 * Out:   a description such as "a qcow2 image: make it raw with qemu-img convert -O raw", or NULL.
 * Never: chooses a decoder; the text only explains errors.
 */
#ifndef BAKE_IO_MAGIC_H
#define BAKE_IO_MAGIC_H

#include <stddef.h>

enum { MAGIC_BYTES = 0x10048 };

const char *magic_words(const unsigned char *bytes, size_t len);

#endif
