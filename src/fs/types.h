/* What fs reports: what was written, and which byte ranges of the disk changed. */
#ifndef BAKE_FS_TYPES_H
#define BAKE_FS_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"

struct byte_range {
    uint64_t off, len; /* bytes, of the whole disk */
};

struct fs_changes {
    struct byte_range *ranges; /* sorted, disjoint, merged */
    size_t range_count;
    uint64_t bytes_changed;                         /* sum of the ranges */
    uint64_t files, directories, symlinks, removed; /* counts of operations done */
};

static inline void fs_changes_free(struct fs_changes *changes)
{
    free(changes->ranges);
    changes->ranges = NULL;
    changes->range_count = 0;
}
#define cleanup_fs_changes cleanup(fs_changes_free)

#endif
