/* Carries out a plan on the file systems of a disk.
 *
 * In:    a disk that only the caller uses, its layout, a plan.
 * Out:   the changed disk, and the byte ranges that changed.
 * Fails: ERR_LAYOUT: a file system that must not be written (errors, dirty journal, unknown features), an
 *        object of the wrong type, a link that leads out of the file system; ERR_SPACE: blocks or inodes;
 *        ERR_VERIFY: content that does not match the plan. When fs_apply() fails while writing, the disk is
 *        in an undefined state: discard it.
 * Never: writes outside the partitions that the plan names; writes anything before the whole plan has been
 *        checked.
 *
 * ext2, ext3 and ext4 are written in place by libext2fs, as any user. Any other file system is refused.
 */
#ifndef BAKE_FS_FS_H
#define BAKE_FS_FS_H

#include "base/buf.h"
#include "base/run.h"
#include "fs/types.h"
#include "disk/disk.h"
#include "layout/types.h"
#include "plan/types.h"

/* Checks that the plan fits and can be carried out. Reads only. */
must_check int fs_check(const struct disk *disk, const struct layout *layout, const struct plan *plan,
                        const struct run *run, struct err *err);

/* Checks as fs_check() does, then writes. All times become plan->epoch: the same plan on the same disk gives
 * the same bytes. */
must_check int fs_apply(struct disk *disk, const struct layout *layout, const struct plan *plan,
                        const struct run *run, struct fs_changes *ret, struct err *err);

/* Runs e2fsck on every ext file system that PLAN writes to, without changing anything. ERR_LAYOUT with the
 * first errors found. Needs space in SCRATCH_DIR for an unnamed file with the metadata. fs/fsck.c */
must_check int fs_fsck(const struct disk *disk, const struct layout *layout, const struct plan *plan,
                       const char *scratch_dir, const struct run *run, struct err *err);

/* Grows the ext file system in PARTITION, whose size was raised, with resize2fs to fill it, and checks it
 * with e2fsck. What e2fsck finds is ERR_LAYOUT when the base already had errors, else ERR_INTERNAL. Needs
 * space in SCRATCH_DIR for an unnamed copy of the partition. */
must_check int fs_grow(struct disk *disk, const struct partition *partition, const char *scratch_dir,
                       int64_t epoch, const struct run *run, struct err *err);

#endif
