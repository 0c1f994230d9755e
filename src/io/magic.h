/* Recognizes a file's format by its first bytes, for messages about a file of the wrong kind.
 *
 * In:    the first bytes of a file; from MAGIC_ROOM on all formats are recognized.
 * Out:   words such as "a qcow2 image: make it raw with qemu-img convert -O raw", or NULL.
 * Never: decides anything; that is for the code that reads the file.
 */
#ifndef BAKE_IO_MAGIC_H
#define BAKE_IO_MAGIC_H

#include <stddef.h>

enum { MAGIC_ROOM = 0x10048 };

const char *magic_words(const unsigned char *bytes, size_t len);

#endif
