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

/* An ext file system and its files, to look at pieces of them. It is of the disk as it is when it is opened,
 * and needs it no more. */
struct probe_fs;
struct probe_file;
must_check int probe_fs_open(const struct disk *disk, const struct partition *partition,
                             struct probe_fs **ret, struct err *err);
void probe_fs_close(struct probe_fs **fs);
/* *RET stays NULL when PATH, of which only the folders may be links, does not exist. FS must outlive it. */
must_check int probe_file_open(const struct probe_fs *fs, const char *path, struct probe_file **ret,
                               struct err *err);
uint64_t probe_file_size(const struct probe_file *file);
must_check int probe_file_read(const struct probe_file *file, void *bytes, size_t len, uint64_t off,
                               struct err *err);
void probe_file_close(struct probe_file **file);
#define cleanup_probe_file cleanup(probe_file_close)

/* Whether PATH exists on a FAT file system, using mtools' mdir. */
must_check int probe_fat_has(const struct disk *disk, const struct partition *partition, const char *path,
                             const struct run *run, bool *ret_found, struct err *err);

#endif
