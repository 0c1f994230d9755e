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
    bool trial;          /* writes go to the overlay, and reads see them */
    struct overlay overlay;
    uint64_t reads_left;    /* blocks: bounds the loops of a damaged file system */
    uint64_t start, size;   /* bytes of the disk */
    struct ranges *changes; /* may be NULL when read-only */
    struct err why;         /* the error of a failed read or write; libext2fs passes on only a code */
    struct struct_io_manager manager;
};

enum { WINDOW_NAME_CAP = 40 };

void window_init(struct window *window);
void window_free(struct window *window);
/* The name to open: libext2fs passes only a string to an I/O manager, so it contains the window's address.
 * The window must not move while it is open. */
void window_name(const struct window *window, char out[static WINDOW_NAME_CAP]);

#endif
