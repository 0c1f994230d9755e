/* Operations of a plan on a mounted file system, below the descriptor TOP and nowhere else. */
#ifndef BAKE_FS_LOOP_OPS_H
#define BAKE_FS_LOOP_OPS_H

#include "base/run.h"
#include "plan/types.h"

must_check int loop_write_op(int top, const struct plan_op *op, int64_t epoch, const struct run *run,
                             struct err *err);

/* Would they go through? Writes nothing. fs/loop_check.c */
must_check int loop_check_ops(int top, const struct plan_op *ops, size_t count, const struct run *run,
                              struct err *err);

/* Opens PATH as if TOP were the root; the descriptor, or -1 and errno. */
int loop_open(int top, const char *path, int flags);

#endif
