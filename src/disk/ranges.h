/* Ranges of bytes: sorted, disjoint, adjacent ones merged.
 *
 * In:    ranges in any order. ranges_add() keeps the list sorted; ranges_append() is for many at once and
 *        leaves sorting to ranges_sort().
 * Out:   the ranges, and lookups.
 * Fails: when out of memory.
 * Owns:  its list, until ranges_free().
 */
#ifndef BAKE_DISK_RANGES_H
#define BAKE_DISK_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct range {
    uint64_t off, end; /* bytes; end is exclusive */
};

struct ranges {
    struct range *items;
    size_t count, capacity;
    bool failed; /* ranges_append() ran out of memory */
};

must_check bool ranges_add(struct ranges *ranges, uint64_t off, uint64_t len);

/* Cheap when a range continues the last one. Call ranges_sort() before any other function. */
void ranges_append(struct ranges *ranges, uint64_t off, uint64_t len);
/* False when an append ran out of memory. */
must_check bool ranges_sort(struct ranges *ranges);

/* The first range that ends after AT, or NULL. */
const struct range *ranges_from(const struct ranges *ranges, uint64_t at);
/* The sum of all lengths. */
uint64_t ranges_bytes(const struct ranges *ranges);

static inline void ranges_free(struct ranges *ranges)
{
    free(ranges->items);
    *ranges = (struct ranges){0};
}
#define cleanup_ranges cleanup(ranges_free)

#endif
