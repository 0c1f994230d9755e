#include "disk/spans.h"

#include <string.h>

static size_t index_from(const struct spans *spans, uint64_t at)
{
    size_t low = 0, high = spans->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (spans->items[middle].end > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const struct span *spans_from(const struct spans *spans, uint64_t at)
{
    size_t i = index_from(spans, at);
    return i < spans->count ? &spans->items[i] : NULL;
}

bool spans_add(struct spans *spans, uint64_t off, uint64_t len)
{
    struct span made = {off, off + len};
    if (len == 0)
        return true;
    /* one that ends where the new one begins joins it, too */
    size_t first = off > 0 ? index_from(spans, off - 1) : 0, last = first;
    while (last < spans->count && spans->items[last].off <= made.end) {
        if (spans->items[last].off < made.off)
            made.off = spans->items[last].off;
        if (spans->items[last].end > made.end)
            made.end = spans->items[last].end;
        last++;
    }
    if (first == last && spans->count == spans->capacity) {
        size_t capacity = spans->capacity ? spans->capacity * 2 : 64;
        struct span *more = reallocarray(spans->items, capacity, sizeof *more);
        if (!more)
            return false;
        spans->items = more;
        spans->capacity = capacity;
    }
    memmove(spans->items + first + 1, spans->items + last, (spans->count - last) * sizeof *spans->items);
    spans->items[first] = made;
    spans->count = spans->count - (last - first) + 1;
    return true;
}
