/* One guest's serial console, read and judged while it runs.
 *
 * In:    the console's bytes, from a descriptor.
 * Out:   clean lines to whoever listens, the bytes to a file, and in a struct boot_result what the image reported about
 *        itself and when.
 * Fails: ERR_IO when the console cannot be read or the file not written; console_conclude() with ERR_TEST for an image that
 *        says FAIL or panics.
 * Owns:  nothing; the descriptors and the result are the caller's.
 * Never: lets a line through that drives a terminal.
 *
 * The image speaks by lines that hold "bake-report: ": "bake-report: PASS" is a good end, "bake-report: FAIL why" a bad
 * one, anything else after the mark is kept for the reader. The first verdict counts.
 */
#ifndef BAKE_BOOT_CONSOLE_H
#define BAKE_BOOT_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#include "boot/boot.h"
#include "boot/serial.h"

enum console_verdict { VERDICT_NONE, VERDICT_PASS, VERDICT_FAIL, VERDICT_PANIC };

struct console_options {
    int serial_fd; /* a copy of the raw console goes here; -1: none */
    /* Each line, safe to show, as it comes; may be NULL. SECONDS are since power-on. */
    void (*line)(void *ctx, double seconds, const char *line);
    void *ctx;
};

/* Large: to be had on the heap. Its address must not change once console_begin() has it. */
struct console {
    struct console_options options;
    struct boot_result *result;
    double started;
    enum console_verdict verdict;
    char why[ERR_TEXT_MAX / 2]; /* after FAIL, or the panic's line */
    char qemu_said[ERR_TEXT_MAX / 2];
    bool out_of_memory;
    char ring[BOOT_TAIL_LINES][SERIAL_CLEAN_MAX];
    size_t lines;
    struct serial serial;
};

/* The guest is switched on now. RESULT is emptied. */
void console_begin(struct console *console, const struct console_options *options,
                   struct boot_result *result);
double console_elapsed(const struct console *console); /* seconds since then */

/* Waits up to TIMEOUT_MS for bytes, and takes them; *ret_end is set at end of file, when the last line is taken too. */
must_check int console_step(struct console *console, int fd, int timeout_ms, bool *ret_end, struct err *err);
/* Takes what has no newline yet, such as a prompt. */
void console_flush(struct console *console);

/* 0 for PASS and for no verdict. */
must_check int console_conclude(const struct console *console, struct err *err);
/* Copies the last lines into the result. */
void console_keep_tail(struct console *console);

/* Seconds of the monotonic clock. */
double console_now(void);

#endif
