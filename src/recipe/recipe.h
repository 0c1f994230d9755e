/* Recipes: text in, a checked value out.
 *
 * In:    JSON text with comments, its name for messages, its folder, variables.
 * Out:   struct recipe: every string substituted, every path normal, every reference resolved.
 * Fails: ERR_RECIPE with NAME:line:column, what was expected, and a did-you-mean.
 * Owns:  the recipe owns its strings until recipe_free().
 * Never: reads a file, the network or the environment: local sources stay names.
 *
 * manifests/recipes/recipe.schema.json describes the format; section/keys.h has the same keys for the parser.
 */
#ifndef BAKE_RECIPE_RECIPE_H
#define BAKE_RECIPE_RECIPE_H

#include "recipe/read/expand.h"
#include "recipe/types.h"

/* NAME is the file's name for messages, DIR the folder that "from" and "keyring" are relative to (NULL or "":
 * the current one). VARS may be NULL. */
must_check int recipe_parse(const char *text, size_t len, const char *name, const char *dir,
                            const struct recipe_vars *vars, struct recipe *ret, struct err *err);

/* SHA-256 over the base and inputs as the recipe asks for them (by portable URL, sorted by name). A lock
 * records which it was made for. */
must_check int recipe_inputs_digest(const struct recipe *recipe, struct sha256 *ret, struct err *err);

#endif
