/* The one place that orders the stages.
 *
 *   recipe -> lock -> fetch -> verify -> unpack -> layout -> plan -> fs -> pack -> seal
 *
 * In:    options of a command.
 * Out:   for `bake plan` a struct baking up to its plan; for `bake image` a package in the output folder.
 * Fails: as the stages do; every error carries the stage's name.
 * Owns:  struct baking owns what it went through until baking_free(): the working copy of the disk is an unnamed file that
 *        vanishes with it.
 */
#ifndef BAKE_FRONT_JOB_PIPELINE_H
#define BAKE_FRONT_JOB_PIPELINE_H

#include "bake/ui/common.h"
#include "bake/job/inputs.h"
#include "disk/disk.h"
#include "layout/types.h"
#include "pack/pack.h"
#include "payload/payload.h"
#include "plan/plan.h"
#include "seal/sign/key.h"

struct early_upload;

struct image_options {
    struct recipe_options recipe;
    bool unsigned_package;
    const char *key_path;              /* NULL: unsigned */
    bool small;                        /* a smaller archive */
    bool check;                        /* read the archive back */
    uint64_t threads;                  /* 0: as many as there are cores */
    uint64_t keep;                     /* packages of this name that stay in out_dir; KEEP_ALL */
    struct early_upload *early_upload; /* parts go to the bucket while they are packed; NULL: they do not */
};

struct progress;
struct unpacking;
struct precompress;

struct baking {
    struct inputs inputs;
    bool packs; /* the disk will be packed: a new base is deflated while it is unpacked, and after that */
    struct pack_options pack;         /* from the caller: threads and small; the rest is filled in */
    struct progress *download, *flow; /* how far the base is fetched, and unpacked */
    struct unpacking *unpacking;
    struct precompress *ahead;
    struct disk disk;     /* private, writable */
    struct layout layout; /* of the disk as it will be: grown when the recipe says so */
    bool grow_root;
    struct plan_wants wants;
    struct payload payload;
    struct plan plan; /* without bake's own lists */
    int64_t epoch;
};
#define BAKING_EMPTY                                                                                         \
    {                                                                                                        \
        .inputs = INPUTS_EMPTY, .disk = DISK_EMPTY                                                           \
    }
void baking_free(struct baking *baking);
#define cleanup_baking cleanup(baking_free)

/* Everything from the open inputs to the plan. */
must_check int baking_plan(struct common *common, const struct recipe_options *options, struct baking *baking,
                           struct err *err);

/* A second judge of what PLAN made of the disk: e2fsck looks at the file systems that were written. ERR_LAYOUT: the base had
 * errors before; ERR_INTERNAL: they are ours. */
must_check int baking_fsck(struct common *common, struct baking *baking, const struct plan *plan,
                           struct err *err);

/* Is the package there, whole, from the same things? Told by looking at files, not into them; nothing is written, and no key is
 * asked for. *ret_manifest is its manifest's path, owned by the caller, or NULL: then bake_image() finds out. */
must_check int bake_unchanged(const struct common *common, const struct image_options *options,
                              char **ret_manifest, struct err *err);

/* The whole job. KEY NULL: unsigned. *ret_manifest is the path of the package's manifest, owned by the caller; *ret_unchanged
 * tells that it was there already. */
must_check int bake_image(struct common *common, const struct image_options *options,
                          const struct signing_key *key, char **ret_manifest, bool *ret_unchanged,
                          struct err *err);

#endif
