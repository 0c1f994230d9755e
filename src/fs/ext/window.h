/* libext2fs's view of one partition: an I/O manager on struct disk that cannot reach outside the partition.
 *
 * Source: lib/ext2fs/ext2_io.h of e2fsprogs (struct struct_io_manager).
 */
#ifndef BAKE_FS_EXT_WINDOW_H
#define BAKE_FS_EXT_WINDOW_H

#include <ext2fs/ext2fs.h>

#include "disk/disk.h"
#include "disk/overlay.h"
#include "disk/ranges.h"

struct window {
    const struct disk *reader;
    struct disk *writer; /* NULL: nothing is written */
    bool trial;          /* writes go to the overlay, and are read back from there */
    struct overlay overlay;
    uint64_t reads_left;    /* blocks: a damaged file system that leads in circles comes to an end */
    uint64_t start, size;   /* bytes of the disk */
    struct ranges *changes; /* may be NULL when read-only */
    struct err why;         /* what a failed read or write said; libext2fs passes on a number only */
    struct struct_io_manager manager;
};

enum { WINDOW_NAME_CAP = 40 };

void window_init(struct window *window);
void window_free(struct window *window);
/* The name to open: libext2fs hands an I/O manager nothing but a string, so the window's address goes in there. The window
 * must not move while it is open. */
void window_name(const struct window *window, char out[static WINDOW_NAME_CAP]);

#endif
