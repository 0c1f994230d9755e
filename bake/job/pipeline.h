/* The one place that orders the phases of a bake:
 *
 *   recipe -> lock -> fetch -> verify -> unpack -> layout -> plan -> fs -> pack -> seal
 *
 * In:    a command's options.
 * Out:   bake_lock() ends with the lock, bake_plan() with the plan, bake_image() with a package in the output
 *        folder.
 * Fails: as the phases do; every error names its phase.
 * Owns:  what each phase gives is a value of a type of its own, freed on scope exit. The working copy of the
 *        disk and the archive are unnamed files until the package is complete: a failed bake leaves nothing
 *        behind.
 */
#ifndef BAKE_FRONT_JOB_PIPELINE_H
#define BAKE_FRONT_JOB_PIPELINE_H

#include "bake/job/phase/options.h"
#include "bake/job/phase/plan.h"
#include "bake/ui/common.h"
#include "seal/sign/key.h"

/* *ret_path, owned by the caller, is the lock's path; *ret_written: it is new or has changed. */
must_check int bake_lock(struct common *common, const struct recipe_options *options, char **ret_path,
                         bool *ret_written, struct err *err);

/* Makes the plan, checks that it would fit and go through, and gives it to PRINT. */
must_check int bake_plan(struct common *common, const struct recipe_options *options,
                         int (*print)(struct common *common, const struct planned *planned,
                                      const struct layout *layout, struct err *err),
                         struct err *err);

/* Whether a complete package from the same inputs already exists. Checks the files' state, not their content;
 * writes nothing, and needs no key. *ret_manifest is its manifest's path, owned by the caller; NULL:
 * bake_image() has to find out. */
must_check int bake_unchanged(const struct common *common, const struct image_options *options,
                              char **ret_manifest, struct err *err);

/* The whole job. KEY NULL: unsigned. *ret_manifest is the path of the package's manifest, owned by the
 * caller; *ret_unchanged: it already existed. */
must_check int bake_image(struct common *common, const struct image_options *options,
                          const struct signing_key *key, char **ret_manifest, bool *ret_unchanged,
                          struct err *err);

#endif
