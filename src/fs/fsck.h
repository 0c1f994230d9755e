/* e2fsck(8) on one ext file system. Internal to src/fs.
 *
 * Fails: ERR_LAYOUT with the first things that e2fsck finds wrong, ERR_IO when it is not installed or could not look.
 * Never: changes what it looks at.
 */
#ifndef BAKE_FS_FSCK_H
#define BAKE_FS_FSCK_H

#include "base/run.h"
#include "disk/disk.h"
#include "layout/types.h"

/* FD is a file that holds nothing but the file system; PARTITION is for messages. */
must_check int fsck_file(int fd, const struct partition *partition, const struct run *run, struct err *err);

/* SCRATCH_DIR holds an unnamed file with the partition's metadata meanwhile. */
must_check int fsck_partition(const struct disk *disk, const struct partition *partition,
                              const char *scratch_dir, const struct run *run, struct err *err);

#endif
