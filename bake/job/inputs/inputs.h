/* The recipe and its lock, as a command names them.
 *
 * In:    the recipe's path (or --standin for the compiled-in one), variables, --update.
 * Out:   struct inputs: recipe, lock, and digests of what determined them.
 * Fails: ERR_RECIPE for a mistake in the recipe, or a lock that does not fit it (the message says what to
 *        do); ERR_USAGE; ERR_VERIFY when digests are required and missing.
 * Owns:  struct inputs owns everything in it until inputs_free().
 */
#ifndef BAKE_FRONT_JOB_INPUTS_INPUTS_H
#define BAKE_FRONT_JOB_INPUTS_INPUTS_H

#include "bake/ui/common.h"
#include "recipe/lock.h"
#include "recipe/recipe.h"

struct session_options;

struct recipe_options {
    const char *path; /* NULL until recipe_choose(): bake.json in the current folder; unused with standin */
    bool standin;     /* the compiled-in recipe */
    struct option_list vars;  /* --var name=value */
    const char *out_dir;      /* where the lock of the compiled-in recipe goes */
    const char *lock_dir;     /* the lock's folder; NULL: the recipe's */
    const char *lock_tag;     /* bake.TAG.lock.json, a lock for these variables; NULL: bake.lock.json */
    bool require_digests;     /* pin nothing on trust; the recipe may require this, too */
    bool update;              /* resolve again and rewrite the lock */
    bool untested_kubernetes; /* accept a Kubernetes newer than the built-in files were run with */
    bool allow_downgrade;     /* with update: accept a release older than the locked one */
    const char *shared_cache; /* gs://BUCKET/FOLDER; NULL: none */
    const struct session_options *session; /* credentials for the shared cache; NULL without one */
};

struct inputs {
    char *recipe_path; /* "" for the compiled-in one */
    char *lock_path;
    struct sha256 recipe_sha256;    /* of its text */
    struct sha256 variables_sha256; /* of every variable that the recipe looked up, with its value */
    struct recipe recipe;
    struct lock lock; /* no inputs in it: there is no lock yet */
};
#define INPUTS_EMPTY                                                                                         \
    {                                                                                                        \
        0                                                                                                    \
    }

/* Settles which recipe to use and reports it: the first step of every command that takes one. ERR_USAGE when
 * none was named and the current folder has none; no other recipe is ever used instead. */
must_check int recipe_choose(struct common *common, struct recipe_options *options, struct err *err);
/* Reads the recipe only, not the lock. */
must_check int inputs_recipe(const struct recipe_options *options, struct inputs *ret, struct err *err);
/* Reads recipe and lock; writes nothing. Reports what would otherwise fail only after the download: a missing
 * keyring, an input without a digest where digests are required. */
must_check int inputs_open(const struct recipe_options *options, struct inputs *ret, struct err *err);
void inputs_free(struct inputs *inputs);
#define cleanup_inputs cleanup(inputs_free)

/* Both fill a struct recipe_options. A matrix does not offer the compiled-in recipe. */
extern const struct option_group recipe_group, standin_group;

#endif
