/* Recipes: text in, a checked value out.
 *
 * In:    JSON text with comments, its name for messages, its folder, variables.
 * Out:   struct recipe: every string substituted, every path normal, every reference resolved.
 * Fails: ERR_RECIPE with NAME:line:column, what was expected, and a did-you-mean.
 * Owns:  the recipe owns its strings until recipe_free().
 * Never: touches a file, the network or the environment: file sources stay names.
 *
 * The format is described by manifests/recipes/recipe.schema.json; keys.h is the parser's side of it.
 */
#ifndef BAKE_RECIPE_RECIPE_H
#define BAKE_RECIPE_RECIPE_H

#include "base/buf.h"
#include "recipe/types.h"

enum { RECIPE_TEXT_MAX = 4 << 20, RECIPE_STRING_MAX = 1 << 20, RECIPE_LIST_MAX = 10000 };

/* What ${...} may name: ${var.X} the recipe's "vars", overridden by `vars` (--var X=value; one that the
 * recipe does not have is refused); ${bake.X} `builtins`; ${env.X} whatever env() gives (NULL: not set; env
 * itself may be NULL). "$${" stands for "${". */
struct recipe_vars {
    const struct recipe_pair *vars;
    size_t var_count;
    const struct recipe_pair *builtins;
    size_t builtin_count;
    const char *(*env)(void *ctx, const char *name);
    void *ctx;
};

/* NAME is the file's name for messages, DIR the folder that "from" and "keyring" are relative to (NULL or "":
 * the current one). VARS may be NULL. */
must_check int recipe_parse(const char *text, size_t len, const char *name, const char *dir,
                            const struct recipe_vars *vars, struct recipe *ret, struct err *err);

/* Sets err to ERR_RECIPE "FILE:line:column: TEXT"; returns -1. For later stages that refuse what a recipe
 * says. */
int recipe_error(const struct recipe *recipe, struct recipe_where where, struct err *err, const char *fmt,
                 ...) print_like(4, 5);

/* NULL when there is none of that name. */
const struct recipe_input *recipe_find_input(const struct recipe *recipe, const char *name);

/* "10GiB", "512MiB", "4096": bytes. Units B, KiB, MiB, GiB, TiB. False when it is none or overflows. */
bool recipe_size(const char *text, uint64_t *ret);

/* A copy of URL without "user:password@". NULL when out of memory. */
char *recipe_url_clean(struct arena *arena, const char *url);

/* SHA-256 over the base and inputs as the recipe asks for them (by their portable URLs, sorted by name): what a lock was made for. */
must_check int recipe_inputs_digest(const struct recipe *recipe, struct sha256 *ret, struct err *err);

#endif
