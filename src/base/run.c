#include "base/run.h"

#include <stdarg.h>

int run_check(const struct run *run, struct err *err)
{
    int stop =
        run && run->stop ? __atomic_load_n(run->stop, __ATOMIC_RELAXED) : 0; /* any thread may have set it */
    return stop == 0 ? 0 : err_set(err, ERR_INTERRUPTED, stop, "interrupted");
}

void run_progress(const struct run *run, const char *stage, const char *what, uint64_t done, uint64_t total)
{
    if (!run || !run->on_event)
        return;
    struct event event = {.kind = EVENT_PROGRESS, .stage = stage, .what = what, .done = done, .total = total};
    run->on_event(run->ctx, &event);
}

print_like(4, 0) static void emit(const struct run *run, enum event_kind kind, const char *stage,
                                  const char *fmt, va_list ap)
{
    if (!run || !run->on_event)
        return;
    char text[ERR_TEXT_MAX];
    if (vsnprintf(text, sizeof text, fmt, ap) < 0)
        return;
    struct event event = {.kind = kind, .stage = stage, .what = text};
    run->on_event(run->ctx, &event);
}

void run_note(const struct run *run, const char *stage, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    emit(run, EVENT_NOTE, stage, fmt, ap);
    va_end(ap);
}

void run_warn(const struct run *run, const char *stage, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    emit(run, EVENT_WARN, stage, fmt, ap);
    va_end(ap);
}
