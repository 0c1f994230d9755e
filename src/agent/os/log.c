#include "agent/os/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"

void log_line(const struct log *log, const char *text)
{
    if (log)
        log->line(log->ctx, text);
}

void log_printf(const struct log *log, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_line(log, text);
}
