/* A guest's serial console, read and evaluated while it runs.
 *
 * In:    the console's bytes, from a descriptor.
 * Out:   clean lines to a callback, the raw bytes to a file, and the image's reports with times in a struct
 *        boot_result.
 * Fails: ERR_IO if the console cannot be read or the file cannot be written; console_conclude() with ERR_TEST
 *        for an image that reports FAIL or panics.
 * Owns:  nothing; the descriptors and the result are the caller's.
 * Never: passes on terminal control sequences.
 *
 * The reports are those of boot/boot.h. The first verdict counts.
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
    /* Called for each line, safe to print; may be NULL. SECONDS since power-on. */
    void (*line)(void *ctx, double seconds, const char *line);
    void *ctx;
};

/* Large: allocate it on the heap. It must not move after console_begin(). */
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

/* The guest is powered on now. RESULT is reset. */
void console_begin(struct console *console, const struct console_options *options,
                   struct boot_result *result);
double console_elapsed(const struct console *console); /* seconds since power-on */

/* Waits up to TIMEOUT_MS for bytes and processes them; *ret_end is set at end of file, after the last
 * line. */
must_check int console_step(struct console *console, int fd, int timeout_ms, bool *ret_end, struct err *err);
/* Processes an unfinished line, such as a prompt. */
void console_flush(struct console *console);

/* 0 for PASS and if there is no verdict. */
must_check int console_conclude(const struct console *console, struct err *err);
/* Copies the last lines into the result. */
void console_keep_tail(struct console *console);

/* Seconds of the monotonic clock. */
double console_now(void);

#endif
