/* Variables: ${var.X}, ${env.X}, ${bake.X}; $${ is a plain ${. */
#include <ctype.h>
#include <string.h>

#include "recipe/read/reader.h"

enum { VARS_MAX = 1000, VAR_NAME_MAX = 100 };

static const char name_chars[] = LOWER UPPER DIGITS "_.-";

static const char *find(const struct recipe_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(pairs[i].name, name) == 0)
            return pairs[i].value;
    return NULL;
}

/* An error about ${SPACE.NAME} with the nearest of PAIRS. */
static int unknown(struct reader *r, const cJSON *node, const char *space, const char *name,
                   const struct recipe_pair *pairs, size_t count)
{
    cleanup_free const char **words = calloc(count + 1, sizeof *words);
    if (!words)
        return err_oom(r->err);
    for (size_t i = 0; i < count; i++)
        words[i] = pairs[i].name;
    const char *near = json_nearest(name, words);
    if (near)
        return json_error(r->doc, node, r->err, "unknown variable ${%s.%s}; did you mean ${%s.%s}?", space,
                          name, space, near);
    return json_error(r->doc, node, r->err, "unknown variable ${%s.%s}%s", space, name,
                      strcmp(space, "var") == 0 ? ": define it under \"vars\", and above what uses it there"
                                                : "");
}

static int look_up(struct reader *r, const cJSON *node, const char *name, const char **ret)
{
    static const char *const spaces[] = {"var.", "env.", "bake."};
    const struct recipe_vars *given = r->given;
    const char *value;
    if (strncmp(name, spaces[0], 4) == 0) {
        value = find(r->vars, r->var_count, name + 4);
        if (!value)
            return unknown(r, node, "var", name + 4, r->vars, r->var_count);
    } else if (strncmp(name, spaces[1], 4) == 0) {
        value = given->env ? given->env(given->ctx, name + 4) : NULL;
        if (!value)
            return json_error(r->doc, node, r->err, "${%s}: the environment variable %s is not set", name,
                              name + 4);
    } else if (strncmp(name, spaces[2], 5) == 0) {
        value = find(given->builtins, given->builtin_count, name + 5);
        if (!value)
            return unknown(r, node, "bake", name + 5, given->builtins, given->builtin_count);
    } else {
        return json_error(
            r->doc, node, r->err,
            "unknown variable ${%s}: write ${var.NAME}, ${env.NAME} or ${bake.NAME}, and $${ for a "
            "plain ${",
            name);
    }
    if (!json_utf8(value, strlen(value)))
        return json_error(r->doc, node, r->err, "the value of ${%s} is not UTF-8", name);
    *ret = value;
    return 0;
}

/* The name after "${" at AT; *ret_end is what follows the "}". */
static int read_name(struct reader *r, const cJSON *node, const char *at, char name[static VAR_NAME_MAX + 1],
                     const char **ret_end)
{
    size_t len = strspn(at, name_chars);
    if (at[len] != '}')
        return json_error(r->doc, node, r->err,
                          "\"${%.40s\" is no variable: it needs a name and \"}\"; write $${ for a plain ${",
                          at);
    if (len == 0 || len > VAR_NAME_MAX)
        return json_error(r->doc, node, r->err, "a variable's name has 1 to %d characters", VAR_NAME_MAX);
    memcpy(name, at, len);
    name[len] = '\0';
    *ret_end = at + len + 1;
    return 0;
}

/* A folder's name in a file: URL. What bake itself puts in is taken as it is; what the user gives may have escapes already. */
static void add_escaped(struct buf *out, const char *name, const char *value)
{
    bool plain = strncmp(name, "bake.", 5) == 0;
    for (const char *c = value; *c; c++) {
        bool escape = *c == '%' && !plain && isxdigit((unsigned char)c[1]) && isxdigit((unsigned char)c[2]);
        if (!escape && ((unsigned char)*c <= 0x20 || strchr("%?#\"<>\\^`{|}\x7f", *c)))
            buf_printf(out, "%%%02X", (unsigned char)*c);
        else
            buf_add(out, c, 1);
    }
}

int read_expand(struct reader *r, const cJSON *node, const char *text, int flags, const char **ret)
{
    bool escaped = (flags & TEXT_URL) && strncmp(text, "file:", 5) == 0;
    cleanup_buf struct buf out = BUF_INIT(RECIPE_STRING_MAX);
    for (const char *p = text; *p;) {
        const char *dollar = strstr(p, "${");
        if (!dollar) {
            buf_str(&out, p);
            break;
        }
        if (dollar > p && dollar[-1] == '$') { /* $${ */
            buf_add(&out, p, (size_t)(dollar - p) - 1);
            buf_str(&out, "${");
            p = dollar + 2;
            continue;
        }
        buf_add(&out, p, (size_t)(dollar - p));
        char name[VAR_NAME_MAX + 1];
        const char *value = NULL;
        if (read_name(r, node, dollar + 2, name, &p) < 0 || look_up(r, node, name, &value) < 0)
            return -1;
        if (escaped)
            add_escaped(&out, name, value);
        else
            buf_str(&out, value);
        if (out.failed)
            break;
    }
    if (out.failed)
        return json_error(r->doc, node, r->err, "this text is longer than %d KiB", RECIPE_STRING_MAX >> 10);
    char *copy = arena_strndup(&r->recipe->arena, out.data ? out.data : "", out.len);
    if (!copy)
        return err_oom(r->err);
    *ret = copy;
    return 0;
}

/* Every --var must name a variable that the recipe has: a slip there would go unseen. */
static int check_given(struct reader *r, const cJSON *vars)
{
    for (size_t i = 0; i < r->given->var_count; i++) {
        const char *name = r->given->vars[i].name;
        if (vars && read_node(vars, name))
            continue;
        cleanup_free const char **words = calloc(r->var_count + 1, sizeof *words);
        if (!words)
            return err_oom(r->err);
        for (size_t j = 0; j < r->var_count; j++)
            words[j] = r->vars[j].name;
        const char *near = json_nearest(name, words);
        return err_set(r->err, ERR_RECIPE, 0,
                       "--var %.100s: %.300s has no variable of that name under \"vars\"%s%s%s", name,
                       r->recipe->file, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    return 0;
}

int read_vars(struct reader *r, const cJSON *root)
{
    const cJSON *vars;
    if (json_get_object(r->doc, root, "vars", false, &vars, r->err) < 0)
        return -1;
    int count = vars ? cJSON_GetArraySize(vars) : 0;
    if (count > VARS_MAX)
        return json_error(r->doc, vars, r->err, "more than %d variables", VARS_MAX);
    r->vars = arena_array(&r->recipe->arena, (size_t)count + 1, sizeof *r->vars);
    if (!r->vars)
        return err_oom(r->err);
    for (const cJSON *var = vars ? vars->child : NULL; var; var = var->next) {
        const char *name = var->string, *value;
        if (name[0] == '\0' || strlen(name) > VAR_NAME_MAX || !only_chars(name, name_chars))
            return json_error(r->doc, var, r->err,
                              "variable name \"%.100s\": use 1 to %d letters, digits, '_', '.', '-'", name,
                              VAR_NAME_MAX);
        if (read_string(r, var, name, TEXT_FREE, &value) < 0)
            return -1;
        const char *over = find(r->given->vars, r->given->var_count, name);
        struct recipe_pair *pair = &r->vars[r->var_count];
        pair->name = arena_strdup(&r->recipe->arena, name);
        pair->value = over ? arena_strdup(&r->recipe->arena, over) : value;
        if (!pair->name || !pair->value)
            return err_oom(r->err);
        r->var_count++;
    }
    return check_given(r, vars);
}
