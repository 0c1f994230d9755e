/* e2fsck(8) on one ext file system. Internal to src/fs.
 *
 * Fails: ERR_LAYOUT with the first errors found; ERR_IO when it is not installed or cannot run.
 * Never: changes the file system.
 */
#ifndef BAKE_FS_FSCK_H
#define BAKE_FS_FSCK_H

#include "base/run.h"
#include "disk/disk.h"
#include "layout/types.h"

/* FD is a file that holds only the file system; PARTITION is for messages. */
must_check int fsck_file(int fd, const struct partition *partition, const struct run *run, struct err *err);

/* Needs space in SCRATCH_DIR for an unnamed file with the partition's metadata. */
must_check int fsck_partition(const struct disk *disk, const struct partition *partition,
                              const char *scratch_dir, const struct run *run, struct err *err);

#endif
