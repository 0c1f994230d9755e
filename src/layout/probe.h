/* What the partitions contain: file system types, and a few small files that show the OS and its state. */
#ifndef BAKE_LAYOUT_PROBE_H
#define BAKE_LAYOUT_PROBE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/run.h"
#include "disk/disk.h"
#include "layout/types.h"

/* Sets fs, using libblkid; FS_NONE when nothing is recognized. */
must_check int probe_partition(const struct disk *disk, struct partition *partition, struct err *err);

/* Reads a small file of an ext file system; symbolic links are followed inside it. *ret_found is false when
 * it does not exist. */
must_check int probe_ext_file(const struct disk *disk, const struct partition *partition, const char *path,
                              size_t max, bool *ret_found, struct buf *ret, struct err *err);

/* Whether PATH exists on a FAT file system, using mtools' mdir. */
must_check int probe_fat_has(const struct disk *disk, const struct partition *partition, const char *path,
                             const struct run *run, bool *ret_found, struct err *err);

#endif
