/* Ranges of bytes, sorted, disjoint, those that touch joined.
 *
 * In:    ranges in any order.
 * Out:   the next one.
 * Fails: when out of memory.
 * Owns:  its list, until spans_free().
 */
#ifndef BAKE_DISK_SPANS_H
#define BAKE_DISK_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct span {
    uint64_t off, end; /* bytes; end is not in it */
};

struct spans {
    struct span *items;
    size_t count, capacity;
};

must_check bool spans_add(struct spans *spans, uint64_t off, uint64_t len);
/* The first that ends behind AT; NULL when there is none. */
const struct span *spans_from(const struct spans *spans, uint64_t at);
static inline void spans_free(struct spans *spans)
{
    free(spans->items);
    *spans = (struct spans){0};
}

#endif
