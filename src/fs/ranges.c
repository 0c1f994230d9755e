#include "fs/ranges.h"

#include "fs/fs.h"

void ranges_add(struct ranges *ranges, uint64_t off, uint64_t len)
{
    if (len == 0 || ranges->failed)
        return;
    /* metadata is written block after block: most ranges continue the one before */
    struct byte_range *last = ranges->count ? &ranges->items[ranges->count - 1] : NULL;
    if (last && off >= last->off && off <= last->off + last->len) {
        if (off + len > last->off + last->len)
            last->len = off + len - last->off;
        return;
    }
    if (ranges->count == ranges->capacity) {
        size_t capacity = ranges->capacity ? ranges->capacity * 2 : 256;
        struct byte_range *grown = reallocarray(ranges->items, capacity, sizeof *grown);
        if (!grown) {
            ranges->failed = true;
            return;
        }
        ranges->items = grown;
        ranges->capacity = capacity;
    }
    ranges->items[ranges->count++] = (struct byte_range){.off = off, .len = len};
}

static int by_offset(const void *a, const void *b)
{
    const struct byte_range *x = a, *y = b;
    return (x->off > y->off) - (x->off < y->off);
}

int ranges_finish(struct ranges *ranges, struct fs_changes *changes, struct err *err)
{
    if (ranges->failed)
        return err_oom(err);
    if (ranges->count > 0)
        qsort(ranges->items, ranges->count, sizeof *ranges->items, by_offset);
    size_t kept = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < ranges->count; i++) {
        struct byte_range *item = &ranges->items[i];
        struct byte_range *last = kept ? &ranges->items[kept - 1] : NULL;
        if (last && item->off <= last->off + last->len) {
            if (item->off + item->len > last->off + last->len)
                last->len = item->off + item->len - last->off;
        } else {
            ranges->items[kept++] = *item;
        }
    }
    for (size_t i = 0; i < kept; i++)
        bytes += ranges->items[i].len;
    changes->ranges = steal_ptr(ranges->items);
    changes->range_count = kept;
    changes->bytes_changed = bytes;
    *ranges = (struct ranges){0};
    return 0;
}

void ranges_free(struct ranges *ranges)
{
    free(ranges->items);
    *ranges = (struct ranges){0};
}

int fs_changed(const struct disk *disk, struct fs_changes *ret, struct err *err)
{
    cleanup_ranges struct ranges ranges = {0};
    struct fs_changes changes = {0};
    uint64_t off, end;
    for (uint64_t at = 0; disk_next_change(disk, at, &off, &end); at = end)
        ranges_add(&ranges, off, end - off);
    if (ranges_finish(&ranges, &changes, err) < 0)
        return -1;
    *ret = changes;
    return 0;
}
