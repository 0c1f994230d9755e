/* The one place that prints.
 *
 * In:    results, events of running stages, errors.
 * Out:   stdout: results only (text, or JSON lines with --json); stderr: progress, notes, warnings, errors.
 * Fails: a result that cannot be made or written (no memory, a full disk, a closed pipe) is reported by
 *        ui_finish().
 * Owns:  nothing but its line of progress on a terminal.
 * Never: colours or redraws where stderr is not a terminal; prints secrets: none are passed to it.
 */
#ifndef BAKE_FRONT_UI_UI_H
#define BAKE_FRONT_UI_UI_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "json/write.h"
#include "base/run.h"

struct ui {
    bool json, quiet, verbose;
    bool tty;          /* stderr is a terminal that can redraw a line */
    const char *stage; /* of the line shown now */
    int64_t started_ms, shown_ms;
    bool lost;      /* a line of JSON could not be made */
    bool line_open; /* a progress line without its newline is on the terminal */
    char what[64];
    pthread_mutex_t lock;
};

void ui_init(struct ui *ui);

/* The run to hand to stages: events go to this ui. */
struct run ui_run(struct ui *ui, const volatile sig_atomic_t *stop);

/* A step of the pipeline begins: "fetch", "unpack", ... A plain line with the seconds since the start,
 * elsewhere than on a terminal; with --json an event on stdout. */
void ui_step(struct ui *ui, const char *stage, const char *fmt, ...) print_like(3, 4);

/* A result on stdout: text mode only. */
void ui_text(struct ui *ui, const char *fmt, ...) print_like(2, 3);

/* A result on stdout as a line of JSON; nothing in text mode. It is opened as an object with the member
 * "event", gets its other members by way of JSON, and is printed or freed. Must not be moved meanwhile. */
struct ui_line {
    struct ui *ui;
    struct buf text;
    struct json_writer json;
};
void ui_line_open(struct ui_line *line, struct ui *ui, const char *event);
void ui_line_print(struct ui_line *line);

/* The last word on a failure: "bake: image: ...", or a JSON line with kind, exit code and message. */
void ui_error(struct ui *ui, const char *command, const struct err *err);

/* Flushes stdout; 0, or -1 with ERR_IO or ERR_SPACE when a result was lost. */
must_check int ui_finish(struct ui *ui, struct err *err);

/* "142 MiB", "1.3 GiB": for people. OUT holds 16 characters. */
const char *ui_bytes(uint64_t bytes, char out[static 16]);

#endif
