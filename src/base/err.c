#include "base/err.h"

#include <stdarg.h>
#include <string.h>

print_like(4, 0) static int set_v(struct err *err, enum err_kind kind, int errnum, const char *fmt,
                                  va_list ap)
{
    err->kind = kind;
    err->errnum = errnum;
    int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
    if (n < 0)
        n = 0;
    if (errnum != 0 && kind != ERR_INTERRUPTED && (size_t)n + 3 < sizeof err->text) {
        char why[128];
        /* GNU strerror_r: thread-safe, returns the text to use */
        snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", strerror_r(errnum, why, sizeof why));
    }
    return -1;
}

int err_set(struct err *err, enum err_kind kind, int errnum, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_v(err, kind, errnum, fmt, ap);
    va_end(ap);
    return -1;
}

int err_sys(struct err *err, int errnum, const char *fmt, ...)
{
    enum err_kind kind = ERR_IO;
    if (errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG)
        kind = ERR_SPACE;
    else if (errnum == ENOMEM)
        kind = ERR_INTERNAL;
    va_list ap;
    va_start(ap, fmt);
    set_v(err, kind, errnum, fmt, ap);
    va_end(ap);
    return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    char outer[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(outer, sizeof outer, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n + 2 >= sizeof outer)
        return -1;
    /* keep the start of the inner text, which names the cause; cut its end */
    size_t head = (size_t)n + 2;
    size_t keep = strnlen(err->text, sizeof err->text - 1);
    if (keep > sizeof err->text - 1 - head)
        keep = sizeof err->text - 1 - head;
    memmove(err->text + head, err->text, keep);
    memcpy(err->text, outer, (size_t)n);
    memcpy(err->text + n, ": ", 2);
    err->text[head + keep] = '\0';
    return -1;
}

int err_oom(struct err *err)
{
    return err_set(err, ERR_INTERNAL, 0, "out of memory");
}

int err_exit_code(const struct err *err)
{
    if (err->kind == ERR_INTERRUPTED && err->errnum > 0)
        return 128 + err->errnum;
    return (int)err->kind;
}

const char *err_kind_name(enum err_kind kind)
{
    switch (kind) {
    case ERR_NONE:
        return "none";
    case ERR_INTERNAL:
        return "internal";
    case ERR_USAGE:
        return "usage";
    case ERR_RECIPE:
        return "recipe";
    case ERR_VERIFY:
        return "verification";
    case ERR_LAYOUT:
        return "layout";
    case ERR_SPACE:
        return "space";
    case ERR_IO:
        return "io";
    case ERR_NETWORK:
        return "network";
    case ERR_REMOTE:
        return "remote";
    case ERR_TEST:
        return "test";
    case ERR_INTERRUPTED:
        return "interrupted";
    }
    return "internal";
}
