/* The byte ranges of a disk that were written, as they come; sorted and merged at the end. */
#ifndef BAKE_FS_RANGES_H
#define BAKE_FS_RANGES_H

#include <stdbool.h>

#include "base/err.h"
#include "fs/types.h"

struct ranges {
    struct byte_range *items;
    size_t count, capacity;
    bool failed; /* out of memory, said by ranges_finish() */
};

void ranges_add(struct ranges *ranges, uint64_t off, uint64_t len);
/* Fills ranges, range_count and bytes_changed of *changes; the list is spent. */
must_check int ranges_finish(struct ranges *ranges, struct fs_changes *changes, struct err *err);
void ranges_free(struct ranges *ranges);
#define cleanup_ranges cleanup(ranges_free)

#endif
