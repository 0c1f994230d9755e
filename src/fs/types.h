/* What fs reports: what was written, and which byte ranges of the disk changed. */
#ifndef BAKE_FS_TYPES_H
#define BAKE_FS_TYPES_H

#include <stdint.h>

#include "disk/ranges.h"

struct fs_changes {
    struct ranges ranges;                           /* of the whole disk, sorted and merged */
    uint64_t bytes_changed;                         /* sum of the ranges */
    uint64_t files, directories, symlinks, removed; /* counts of operations done */
};

static inline void fs_changes_free(struct fs_changes *changes)
{
    ranges_free(&changes->ranges);
}
#define cleanup_fs_changes cleanup(fs_changes_free)

#endif
