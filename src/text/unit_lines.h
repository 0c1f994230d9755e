/* The lines of a systemd unit.
 *
 * In:    a unit's text, which may be hostile.
 * Out:   its logical lines: continuations joined by a space, comments between them left out.
 * Fails: ERR_RECIPE for a line that is too long or holds a NUL.
 * Source: systemd.syntax(7).
 */
#ifndef BAKE_TEXT_UNIT_LINES_H
#define BAKE_TEXT_UNIT_LINES_H

#include <stddef.h>

#include "base/err.h"

enum { UNIT_LINE_CAP = 8192 };

struct unit_lines {
    const char *text;
    size_t len, at;
};

/* 1; 0 at the end; -1 on error. */
must_check int unit_lines_next(struct unit_lines *in, char out[static UNIT_LINE_CAP], struct err *err);

/* Without blanks around it; writes into TEXT. */
char *unit_strip(char *text);

/* Cuts "KEY = VALUE" at the sign, both without blanks around them. NULL: the line is not an assignment, which
 * systemd, too, ignores. */
const char *unit_assignment(char *line, char **ret_value);

#endif
