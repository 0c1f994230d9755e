/* A guest's serial console as lines that are safe to print.
 *
 * In:    the guest's bytes, in pieces of any size.
 * Out:   lines: CR and well-formed terminal colour and cursor sequences are dropped, other control characters
 *        and bytes that are not UTF-8 become \xNN. A line longer than the cap is passed on in several pieces.
 * Never: passes on a control character: a guest cannot control the user's terminal.
 */
#ifndef BAKE_BOOT_SERIAL_H
#define BAKE_BOOT_SERIAL_H

#include <stddef.h>

enum { SERIAL_LINE_MAX = 1024, SERIAL_CLEAN_MAX = SERIAL_LINE_MAX * 4 + 1 };

struct serial {
    char line[SERIAL_LINE_MAX];
    size_t len;
    void (*take)(void *ctx, const char *line); /* gets one clean line without its newline */
    void *ctx;
};

void serial_feed(struct serial *serial, const char *bytes, size_t len);
/* Passes on an unfinished line, such as a prompt. */
void serial_flush(struct serial *serial);

/* Cleans LEN (at most SERIAL_LINE_MAX) bytes. */
void serial_clean(const char *bytes, size_t len, char out[static SERIAL_CLEAN_MAX]);

#endif
