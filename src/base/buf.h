/* A growable byte buffer with a cap.
 *
 * In:    bytes and formatted text.
 * Out:   data[0..len), always followed by a NUL that len does not count (data is NULL while empty).
 * Fails: sticky: once the cap or memory is exhausted, further calls do nothing and buf_check() reports it. A
 *        writer can add many pieces and check once at the end.
 * Owns:  data, until buf_free() or buf_steal().
 */
#ifndef BAKE_BASE_BUF_H
#define BAKE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct buf {
    char *data;
    size_t len;
    size_t capacity; /* allocated bytes */
    size_t max;      /* cap on len */
    bool failed;
};

#define BUF_INIT(cap)                                                                                        \
    {                                                                                                        \
        .max = (cap)                                                                                         \
    }

void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_str(struct buf *buf, const char *s);
void buf_printf(struct buf *buf, const char *fmt, ...) print_like(2, 3);

/* 0, or -1 with ERR_INTERNAL that names WHAT if something did not fit. */
must_check int buf_check(const struct buf *buf, const char *what, struct err *err);

/* The data, owned by the caller; the buffer is empty afterwards. An empty buffer gives "". NULL when out of
 * memory. */
char *buf_steal(struct buf *buf);

void buf_free(struct buf *buf);
#define cleanup_buf cleanup(buf_free)

/* buf_free() for keys and other secrets. */
void buf_wipe(struct buf *buf);
#define cleanup_buf_wipe cleanup(buf_wipe)

#endif
