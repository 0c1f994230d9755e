#include "disk/ranges.h"

#include <string.h>

static size_t index_from(const struct ranges *ranges, uint64_t at)
{
    size_t low = 0, high = ranges->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges->items[middle].end > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const struct range *ranges_from(const struct ranges *ranges, uint64_t at)
{
    size_t i = index_from(ranges, at);
    return i < ranges->count ? &ranges->items[i] : NULL;
}

static bool reserve_one(struct ranges *ranges)
{
    if (ranges->count < ranges->capacity)
        return true;
    size_t capacity = ranges->capacity ? ranges->capacity * 2 : 64;
    struct range *grown = reallocarray(ranges->items, capacity, sizeof *grown);
    if (!grown)
        return false;
    ranges->items = grown;
    ranges->capacity = capacity;
    return true;
}

bool ranges_add(struct ranges *ranges, uint64_t off, uint64_t len)
{
    struct range merged = {off, off + len};
    if (len == 0)
        return true;
    /* off - 1: also merges a range that ends where the new one begins */
    size_t first = off > 0 ? index_from(ranges, off - 1) : 0, last = first;
    while (last < ranges->count && ranges->items[last].off <= merged.end) {
        if (ranges->items[last].off < merged.off)
            merged.off = ranges->items[last].off;
        if (ranges->items[last].end > merged.end)
            merged.end = ranges->items[last].end;
        last++;
    }
    if (first == last && !reserve_one(ranges))
        return false;
    memmove(ranges->items + first + 1, ranges->items + last, (ranges->count - last) * sizeof *ranges->items);
    ranges->items[first] = merged;
    ranges->count = ranges->count - (last - first) + 1;
    return true;
}

/* Merges [off, end) into LAST if it overlaps or touches it. */
static bool extend_last(struct range *last, uint64_t off, uint64_t end)
{
    if (!last || off < last->off || off > last->end)
        return false;
    if (end > last->end)
        last->end = end;
    return true;
}

void ranges_append(struct ranges *ranges, uint64_t off, uint64_t len)
{
    struct range *last = ranges->count ? &ranges->items[ranges->count - 1] : NULL;
    if (len == 0 || ranges->failed || extend_last(last, off, off + len))
        return;
    if (!reserve_one(ranges)) {
        ranges->failed = true;
        return;
    }
    ranges->items[ranges->count++] = (struct range){off, off + len};
}

static int by_offset(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    return (x->off > y->off) - (x->off < y->off);
}

bool ranges_sort(struct ranges *ranges)
{
    if (ranges->failed)
        return false;
    if (ranges->count > 0)
        qsort(ranges->items, ranges->count, sizeof *ranges->items, by_offset);
    size_t kept = 0;
    for (size_t i = 0; i < ranges->count; i++) {
        const struct range item = ranges->items[i];
        if (!extend_last(kept ? &ranges->items[kept - 1] : NULL, item.off, item.end))
            ranges->items[kept++] = item;
    }
    ranges->count = kept;
    return true;
}

uint64_t ranges_bytes(const struct ranges *ranges)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < ranges->count; i++)
        bytes += ranges->items[i].end - ranges->items[i].off;
    return bytes;
}
