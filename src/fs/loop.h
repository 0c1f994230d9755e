/* The second backend: the kernel's own file systems, through a loop device in a private mount namespace. Root only. */
#ifndef BAKE_FS_LOOP_H
#define BAKE_FS_LOOP_H

#include "base/run.h"
#include "io/disk.h"
#include "layout/types.h"
#include "plan/types.h"

/* 0 when this process may do it; else ERR_LAYOUT saying what would be needed. */
must_check int loop_possible(const struct partition *partition, struct err *err);

/* Would OPS, all of PARTITION, go through? Mounts read-only. */
must_check int loop_check(const struct disk *disk, const struct partition *partition,
                          const struct plan_op *ops, size_t count, const struct run *run, struct err *err);

/* Writes OPS, all of PARTITION. */
must_check int loop_apply(struct disk *disk, const struct partition *partition, const struct plan_op *ops,
                          size_t count, int64_t epoch, const struct run *run, struct err *err);

#endif
