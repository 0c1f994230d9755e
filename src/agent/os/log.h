/* The agent's log: the one place where messages leave it.
 *
 * In:    one line, without its newline.
 * Out:   main.c writes it to standard output or error and to the console; tests collect it. A NULL log is
 *        silent.
 */
#ifndef BAKE_AGENT_OS_LOG_H
#define BAKE_AGENT_OS_LOG_H

#include "base/cleanup.h"

struct log {
    void (*line)(void *ctx, const char *text);
    void *ctx;
};

void log_line(const struct log *log, const char *text);

/* At most ERR_TEXT_MAX bytes; the rest is cut off. */
void log_printf(const struct log *log, const char *fmt, ...) print_like(2, 3);

#endif
