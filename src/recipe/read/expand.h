/* Variables in a recipe's strings: ${var.X}, ${env.X}, ${bake.X}; "$${" is a plain "${".
 *
 * In:    text, the node it comes from, the variables known so far.
 * Out:   the text with every variable replaced, in an arena.
 * Fails: ERR_RECIPE at the node: an unknown variable, an unset environment variable, a value that is not
 *        UTF-8, a result longer than RECIPE_STRING_MAX.
 */
#ifndef BAKE_RECIPE_READ_EXPAND_H
#define BAKE_RECIPE_READ_EXPAND_H

#include "json/json.h"
#include "recipe/types.h"

enum { VAR_NAME_MAX = 100 };

/* What the caller of recipe_parse() provides. ${var.X} is the recipe's "vars", overridden by `vars` (--var
 * X=value; one that the recipe does not define is refused); ${bake.X} is `builtins`; ${env.X} is what env()
 * returns (NULL: not set; env itself may be NULL). */
struct recipe_vars {
    const struct recipe_pair *vars;
    size_t var_count;
    const struct recipe_pair *builtins;
    size_t builtin_count;
    const char *(*env)(void *ctx, const char *name);
    void *ctx;
};

/* Everything that ${...} may name at some point of the recipe. */
struct recipe_scope {
    const struct recipe_vars *given;
    const struct recipe_pair *vars; /* the recipe's own that are defined so far, in document order */
    size_t var_count;
};

/* NULL when no pair has that name. */
const char *recipe_find_pair(const struct recipe_pair *pairs, size_t count, const char *name);
/* The name most like NAME: NULL in *ret when none is near. */
must_check int recipe_nearest_pair(const struct recipe_pair *pairs, size_t count, const char *name,
                                   const char **ret, struct err *err);
/* Letters, digits, '_', '.', '-'; 1 to VAR_NAME_MAX of them. */
bool recipe_var_name_ok(const char *name);

/* ESCAPE: NODE's text is a file: URL, so folders that variables stand for are percent-encoded. */
must_check int recipe_expand(const struct recipe_scope *scope, const struct json_doc *doc, const cJSON *node,
                             bool escape, struct arena *arena, const char **ret, struct err *err);

#endif
