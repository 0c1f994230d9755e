/* The content of everything a plan wants, loaded from recipe, disk, program and verified inputs. */
#ifndef BAKE_FRONT_JOB_PAYLOAD_H
#define BAKE_FRONT_JOB_PAYLOAD_H

#include "bake/job/inputs.h"
#include "plan/plan.h"
#include "unpack/types.h"

struct payload {
    struct arena arena;
    struct plan_content *contents; /* one a want, in the wants' order */
    struct member *members;        /* these three own what the contents' blobs point into */
    size_t member_count;
    struct tree *trees;
    size_t tree_count;
    int *fds;
    size_t fd_count;
};

must_check int payload_load(struct common *common, const struct inputs *inputs,
                            const struct plan_wants *wants, struct payload *ret, struct err *err);
void payload_free(struct payload *payload);
#define cleanup_payload cleanup(payload_free)

#endif
