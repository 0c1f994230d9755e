/* Small notes stored beside files: a first line that names the format, then "name value" lines in a fixed
 * order.
 *
 * In:    text from a file that bake wrote, and that a crash or another program may have damaged.
 * Out:   the values, copied.
 * Fails: note_parse() returns false for anything but the exact lines that note_format() writes.
 */
#ifndef BAKE_IO_NOTE_H
#define BAKE_IO_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { NOTE_MAX = 4096 /* bytes of a whole note */ };

struct note_field {
    const char *name;
    char *value; /* printable ASCII and bytes over 0x7f, no control characters; may be empty */
    size_t cap;  /* of value, its NUL included; for reading */
};

/* Stores the values only when all of them fit. */
bool note_parse(const char *text, size_t len, const char *magic, const struct note_field *fields,
                size_t count);
void note_format(struct buf *to, const char *magic, const struct note_field *fields, size_t count);

/* True when every byte is allowed in a value. */
bool note_value_ok(const char *value);

/* Parses a decimal number: only digits, no leading zeros. */
bool note_uint(const char *text, uint64_t *ret);

#endif
