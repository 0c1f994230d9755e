#include "base/buf.h"

#include <stdarg.h>
#include <string.h>

static bool make_room(struct buf *buf, size_t more)
{
    if (buf->failed)
        return false;
    if (more > buf->max || buf->len > buf->max - more) {
        buf->failed = true;
        return false;
    }
    size_t need = buf->len + more + 1;
    if (need <= buf->room)
        return true;
    size_t room = buf->room ? buf->room : 64;
    while (room < need)
        room += room / 2 + 64;
    char *grown = realloc(buf->data, room);
    if (!grown) {
        buf->failed = true;
        return false;
    }
    buf->data = grown;
    buf->room = room;
    return true;
}

void buf_add(struct buf *buf, const void *bytes, size_t len)
{
    if (!make_room(buf, len))
        return;
    if (len > 0)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_str(struct buf *buf, const char *s)
{
    buf_add(buf, s, strlen(s));
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !make_room(buf, (size_t)n)) {
        buf->failed = true;
        return;
    }
    va_start(ap, fmt);
    vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    buf->len += (size_t)n;
}

int buf_check(const struct buf *buf, const char *what, struct err *err)
{
    if (!buf->failed)
        return 0;
    return err_set(err, ERR_INTERNAL, 0, "%s: larger than its limit of %zu bytes, or out of memory", what,
                   buf->max);
}

char *buf_steal(struct buf *buf)
{
    if (!buf->data && !make_room(buf, 0))
        return NULL;
    char *data = steal_ptr(buf->data);
    data[buf->len] = '\0';
    buf->len = 0;
    buf->room = 0;
    return data;
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){.max = buf->max};
}
