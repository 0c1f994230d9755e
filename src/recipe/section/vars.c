/* The recipe's own variables. */
#include <string.h>

#include "recipe/section/sections.h"

enum { VARS_MAX = 1000 };

/* Every --var must name a variable of the recipe: a typing error would have no effect otherwise. */
static int check_given(struct recipe_reader *r, const cJSON *vars)
{
    const struct recipe_vars *given = r->scope.given;
    for (size_t i = 0; i < given->var_count; i++) {
        const char *name = given->vars[i].name, *near;
        if (vars && read_node(vars, name))
            continue;
        if (recipe_nearest_pair(r->scope.vars, r->scope.var_count, name, &near, r->err) < 0)
            return -1;
        return err_set(r->err, ERR_RECIPE, 0,
                       "--var %.100s: %.300s has no variable of that name under \"vars\"%s%s%s", name,
                       r->recipe->file, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    return 0;
}

int read_vars(struct recipe_reader *r, const cJSON *root)
{
    const struct recipe_vars *given = r->scope.given;
    const cJSON *vars;
    if (read_object(r, root, "vars", false, NULL, &vars) < 0)
        return -1;
    int count = vars ? cJSON_GetArraySize(vars) : 0;
    if (count > VARS_MAX)
        return read_error(r, vars, "more than %d variables", VARS_MAX);
    struct recipe_pair *pairs = arena_array(&r->recipe->arena, (size_t)count + 1, sizeof *pairs);
    if (!pairs)
        return err_oom(r->err);
    r->scope.vars = pairs;
    for (const cJSON *var = vars ? vars->child : NULL; var; var = var->next) {
        const char *name = var->string, *value;
        if (!recipe_var_name_ok(name))
            return read_error(r, var, "variable name \"%.100s\": use 1 to %d letters, digits, '_', '.', '-'",
                              name, VAR_NAME_MAX);
        if (read_string(r, var, name, TEXT_FREE, &value) < 0)
            return -1;
        const char *over = recipe_find_pair(given->vars, given->var_count, name);
        struct recipe_pair *pair = &pairs[r->scope.var_count];
        pair->value = value;
        if (read_copy(r, name, &pair->name) < 0 || (over && read_copy(r, over, &pair->value) < 0))
            return -1;
        r->scope.var_count++; /* later variables may name it */
    }
    return check_given(r, vars);
}
