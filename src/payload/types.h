/* What payload takes and gives, as plain data. */
#ifndef BAKE_PAYLOAD_TYPES_H
#define BAKE_PAYLOAD_TYPES_H

#include "plan/types.h"
#include "recipe/types.h"
#include "unpack/types.h"
#include "verify/types.h"

struct cache;

/* Borrowed: where content may come from, besides the program itself and files of this machine. */
struct payload_sources {
    const struct recipe *recipe;  /* its inputs are those that wants point to */
    const struct trusted *inputs; /* recipe->input_count of them, in the recipe's order */
    struct cache *cache;          /* of unpacked members and trees */
};

enum { PAYLOAD_VERSION_CAP = 64 };

struct payload {
    struct arena arena;
    struct plan_content *contents; /* one for each want, in the wants' order */
    struct member *members;        /* members, trees and fds own what the blobs in contents read from */
    size_t member_count;
    struct tree *trees;
    size_t tree_count;
    int *fds;
    size_t fd_count;
    char
        kubernetes_version[PAYLOAD_VERSION_CAP]; /* what the archive of Kubernetes' binaries says beside them;
                                                    "" when it does not */
};

#endif
