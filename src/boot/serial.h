/* A guest's serial console as lines that are safe to show.
 *
 * In:    bytes as the guest sends them, in any pieces.
 * Out:   lines: CR and well-formed terminal colour and cursor sequences are dropped, other control characters and
 *        what is not UTF-8 are written as \xNN. A line longer than the cap comes in several pieces.
 * Fails: never.
 * Owns:  nothing; struct serial is plain data.
 * Never: passes a control character on, so a guest cannot drive the user's terminal.
 */
#ifndef BAKE_BOOT_SERIAL_H
#define BAKE_BOOT_SERIAL_H

#include <stddef.h>

enum { SERIAL_LINE_MAX = 1024, SERIAL_CLEAN_MAX = SERIAL_LINE_MAX * 4 + 1 };

struct serial {
    char line[SERIAL_LINE_MAX];
    size_t len;
    void (*take)(void *ctx, const char *line); /* one clean line without its newline */
    void *ctx;
};

void serial_feed(struct serial *serial, const char *bytes, size_t len);
/* Hands on what has no newline yet, such as a prompt. */
void serial_flush(struct serial *serial);

/* Cleans LEN (at most SERIAL_LINE_MAX) bytes. */
void serial_clean(const char *bytes, size_t len, char out[static SERIAL_CLEAN_MAX]);

#endif
