/* Cancellation and progress for long operations.
 *
 * In:    a stop flag that a signal handler sets, and a callback.
 * Out:   progress and notes through the callback; the library itself prints nothing.
 * Fails: run_check() with ERR_INTERRUPTED once the flag is set.
 * Never: called from a signal handler. The callback may be called from any thread and does its own locking.
 *
 * A NULL run is allowed everywhere: the operation runs to its end and reports nothing.
 */
#ifndef BAKE_BASE_RUN_H
#define BAKE_BASE_RUN_H

#include <signal.h>
#include <stdint.h>

#include "base/err.h"

enum event_kind {
    EVENT_PROGRESS, /* done of total bytes */
    EVENT_NOTE,     /* a detail for -v */
    EVENT_WARN,     /* a problem that does not stop the work */
};

struct event {
    enum event_kind kind;
    const char *stage; /* "fetch", "verify", "unpack", "fs", "pack", ...: a literal */
    const char *what;  /* the input's or file's name, or the note's text */
    uint64_t done;     /* bytes; EVENT_PROGRESS only */
    uint64_t total;    /* bytes; 0 if unknown */
};

struct run {
    const volatile sig_atomic_t *stop; /* the number of the signal received, else 0; may be NULL */
    void (*on_event)(void *ctx, const struct event *event);
    void *ctx;
};

/* 0, or -1 with ERR_INTERRUPTED. Call it every few MiB of work. */
must_check int run_check(const struct run *run, struct err *err);

/* Reports progress. May be called often: the receiver limits the rate. */
void run_progress(const struct run *run, const char *stage, const char *what, uint64_t done, uint64_t total);

void run_note(const struct run *run, const char *stage, const char *fmt, ...) print_like(3, 4);
void run_warn(const struct run *run, const char *stage, const char *fmt, ...) print_like(3, 4);

#endif
