/* One operation of a plan on a mounted file system, below the descriptor TOP and nowhere else. */
#ifndef BAKE_FS_LOOP_OPS_H
#define BAKE_FS_LOOP_OPS_H

#include "base/run.h"
#include "plan/types.h"

must_check int loop_write_op(int top, const struct plan_op *op, int64_t epoch, const struct run *run,
                             struct err *err);

#endif
