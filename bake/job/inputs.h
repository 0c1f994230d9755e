/* From a recipe's file to verified bytes: recipe, lock, fetch, verify.
 *
 * In:    the recipe's path (or --standin for the compiled-in one), variables, --update.
 * Out:   the recipe, its lock, and every input as struct trusted.
 * Fails: as the stages do; a lock that does not fit its recipe is ERR_RECIPE and says what to do.
 * Owns:  everything in struct inputs until inputs_free().
 */
#ifndef BAKE_FRONT_JOB_INPUTS_H
#define BAKE_FRONT_JOB_INPUTS_H

#include "bake/ui/common.h"
#include "cache/cache.h"
#include "recipe/lock.h"
#include "recipe/recipe.h"
#include "verify/types.h"

struct session_options;

struct recipe_options {
    const char *path;         /* NULL: bake.json here, until recipe_choose(); unused with standin */
    bool standin;             /* the compiled-in recipe */
    struct option_list vars;  /* --var name=value */
    const char *out_dir;      /* where the lock of the compiled-in recipe goes */
    const char *lock_dir;     /* where the lock is; NULL: beside the recipe */
    const char *lock_tag;     /* bake.TAG.lock.json, a lock for these variables; NULL: bake.lock.json */
    bool require_digests;     /* nothing is pinned on trust, as the recipe may say as well */
    bool update;              /* resolve again and rewrite the lock */
    bool allow_downgrade;     /* to an older release than the lock has, too */
    const char *shared_cache; /* gs://BUCKET/FOLDER; NULL: none */
    const struct session_options *session; /* for the shared cache; NULL without one */
};

struct inputs {
    char *recipe_path; /* "" for the compiled-in one */
    char *lock_path;
    struct sha256 recipe_sha256;    /* of its text */
    struct sha256 variables_sha256; /* of all that its variables can come from and that was looked at */
    struct recipe recipe;
    struct lock lock;
    bool lock_written; /* this run made or changed it */
    struct trusted base;
    struct trusted *items;     /* recipe.input_count of them, in the recipe's order */
    struct cache *cache;       /* opened by inputs_fetch(), unless it is open */
    struct progress *download; /* of the base, told by inputs_fetch(); borrowed, may be NULL */
};

/* Settles which recipe it is and tells so; the first step of whatever takes one. ERR_USAGE where none was named and
 * the current folder has none: another recipe is never taken in its place. */
must_check int recipe_choose(struct common *common, struct recipe_options *options, struct err *err);
/* The recipe only: no lock is looked at. */
must_check int inputs_recipe(const struct recipe_options *options, struct inputs *ret, struct err *err);
/* Recipe and lock only: nothing is written, and the cache is not opened yet. What would only fail after the download is
 * told here: a keyring that is missing, an input without a digest where digests are required. */
must_check int inputs_open(const struct recipe_options *options, struct inputs *ret, struct err *err);
/* Opens the cache, fetches and verifies; makes or updates the lock. Nothing is resolved when the lock is there and update is not
 * set. */
must_check int inputs_fetch(struct common *common, const struct recipe_options *options,
                            struct inputs *inputs, struct err *err);
void inputs_free(struct inputs *inputs);
#define cleanup_inputs cleanup(inputs_free)
#define INPUTS_EMPTY                                                                                         \
    {                                                                                                        \
        .base = TRUSTED_EMPTY                                                                                \
    }

/* Both of struct recipe_options; the compiled-in recipe cannot be a matrix's. */
extern const struct option_group recipe_group, standin_group;

#endif
