/* What `bake image` was asked for. */
#ifndef BAKE_FRONT_JOB_PHASE_OPTIONS_H
#define BAKE_FRONT_JOB_PHASE_OPTIONS_H

#include "bake/job/inputs/inputs.h"

struct early_upload;

struct image_options {
    struct recipe_options recipe;
    bool unsigned_package;
    const char *key_path;              /* NULL: unsigned */
    bool small;                        /* a smaller archive, made more slowly */
    bool check;                        /* read the archive back */
    uint64_t threads;                  /* 0: one for each core */
    uint64_t keep;                     /* how many packages of this name stay in out_dir; or KEEP_ALL */
    struct early_upload *early_upload; /* uploads parts of the archive while it is packed; NULL: does not */
};

#endif
