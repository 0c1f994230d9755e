/* A sparse file of a partition's size, for the programs of e2fsprogs, which cannot read a disk that is a
 * view.
 *
 * In:    a disk, one of its partitions, byte ranges of the disk.
 * Out:   an unnamed file in which byte 0 is the partition's first; holes where nothing was copied.
 * Fails: ERR_SPACE, ERR_IO.
 */
#ifndef BAKE_FS_SCRATCH_H
#define BAKE_FS_SCRATCH_H

#include "disk/disk.h"
#include "layout/types.h"

must_check int scratch_open(const char *dir, const struct partition *partition, int *ret_fd, struct err *err);

/* Copies the data of bytes FROM to END of DISK, which lie in PARTITION. Holes stay holes. */
must_check int scratch_copy(const struct disk *disk, const struct partition *partition, uint64_t from,
                            uint64_t end, int to, const struct run *run, struct err *err);

#endif
