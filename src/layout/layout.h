/* Reads what is on a disk and decides where things go.
 *
 * In:    an unpacked base: a disk in a file, or a view of one that is still unchanged.
 * Out:   struct layout (layout/types.h).
 * Fails: ERR_LAYOUT: no GPT, a damaged or overlapping table, not Container Linux or Flatcar, a base that has
 *        booted, a path that may not be written; ERR_SPACE when a disk cannot be grown.
 * Never: writes, except in layout_grow().
 * Source: UEFI 2.10 section 5.3 (GPT); build_library/disk_layout.json of coreos/scripts and flatcar/scripts
 *        for labels, type GUIDs and the purpose of each partition.
 */
#ifndef BAKE_LAYOUT_LAYOUT_H
#define BAKE_LAYOUT_LAYOUT_H

#include "base/run.h"
#include "disk/disk.h"
#include "layout/types.h"

/* Reads the layout without changing the disk. A missing or misplaced backup GPT is accepted: GCE images are
 * often grown without moving it. */
must_check int layout_read(const struct disk *disk, const struct run *run, struct layout *ret,
                           struct err *err);

/* Maps a normal path as a node sees it to a partition number (1-based) and the path in that partition's file
 * system. */
must_check int layout_map(const struct layout *layout, const char *image_path, unsigned *ret_partition,
                          char ret_path[static PATH_CAP], struct err *err);

/* Grows the disk to SIZE bytes (0: its size) rounded up to a whole GiB, and moves the backup GPT to its end.
 * With GROW_ROOT the ROOT partition, which must be the last one, gets the new space; the fs stage grows its
 * file system. GUIDs, labels and attributes stay. Updates *layout. */
must_check int layout_grow(struct disk *disk, uint64_t size, bool grow_root, struct layout *layout,
                           struct err *err);

/* "coreos", "flatcar", "fedora-coreos". Static storage. */
const char *os_kind_name(enum os_kind os);

#endif
