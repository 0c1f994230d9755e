/* The partition table, read and written by libfdisk, with the checks that libfdisk leaves to its callers. */
#ifndef BAKE_LAYOUT_GPT_H
#define BAKE_LAYOUT_GPT_H

#include "disk/disk.h"
#include "layout/types.h"

/* Sets disk_size, disk_guid and partitions[] (number, start, size, label, type, guid, attributes).
 * ERR_LAYOUT. */
must_check int gpt_read(const struct disk *disk, struct layout *layout, struct err *err);

/* Rewrites both headers for the disk's current size. With NUMBER != 0 that partition, the last on the disk,
 * is extended to the last whole MiB; *ret_size is its new size in bytes. */
must_check int gpt_extend(struct disk *disk, unsigned number, uint64_t *ret_size, struct err *err);

#endif
