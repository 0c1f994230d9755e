/* What is inside the partitions: file system types, and a few small files that tell the OS and its state. */
#ifndef BAKE_LAYOUT_PROBE_H
#define BAKE_LAYOUT_PROBE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/run.h"
#include "disk/disk.h"
#include "layout/types.h"

/* Fills fs by libblkid. Nothing recognised is FS_NONE, no error. */
must_check int probe_partition(const struct disk *disk, struct partition *partition, struct err *err);

/* Reads a small file of an ext file system; symlinks are followed inside it. *ret_found is false when it is
 * not there. */
must_check int probe_ext_file(const struct disk *disk, const struct partition *partition, const char *path,
                              size_t max, bool *ret_found, struct buf *ret, struct err *err);

/* Is that path there on a FAT file system? Asked of mtools' mdir. */
must_check int probe_fat_has(const struct disk *disk, const struct partition *partition, const char *path,
                             const struct run *run, bool *ret_found, struct err *err);

#endif
