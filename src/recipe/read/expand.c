#include "recipe/read/expand.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "text/utf8.h"

static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

const char *recipe_find_pair(const struct recipe_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(pairs[i].name, name) == 0)
            return pairs[i].value;
    return NULL;
}

int recipe_nearest_pair(const struct recipe_pair *pairs, size_t count, const char *name, const char **ret,
                        struct err *err)
{
    cleanup_free const char **words = calloc(count + 1, sizeof *words);
    if (!words)
        return err_oom(err);
    for (size_t i = 0; i < count; i++)
        words[i] = pairs[i].name;
    *ret = json_nearest(name, words);
    return 0;
}

bool recipe_var_name_ok(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= VAR_NAME_MAX && name[strspn(name, name_chars)] == '\0';
}

/* The text being expanded: what variables it may name, and where errors belong. */
struct expansion {
    const struct recipe_scope *scope;
    const struct json_doc *doc;
    const cJSON *node;
    struct err *err;
};

/* The value of ${SPACE.NAME} among PAIRS. */
static int look_up_pair(const struct expansion *e, const char *space, const char *name,
                        const struct recipe_pair *pairs, size_t count, const char **ret)
{
    const char *near;
    *ret = recipe_find_pair(pairs, count, name);
    if (*ret)
        return 0;
    if (recipe_nearest_pair(pairs, count, name, &near, e->err) < 0)
        return -1;
    if (near)
        return json_error(e->doc, e->node, e->err, "unknown variable ${%s.%s}; did you mean ${%s.%s}?", space,
                          name, space, near);
    return json_error(e->doc, e->node, e->err, "unknown variable ${%s.%s}%s", space, name,
                      strcmp(space, "var") == 0 ? ": define it under \"vars\", before its first use there"
                                                : "");
}

static int look_up_env(const struct expansion *e, const char *name, const char **ret)
{
    const struct recipe_vars *given = e->scope->given;
    *ret = given->env ? given->env(given->ctx, name) : NULL;
    if (*ret)
        return 0;
    return json_error(e->doc, e->node, e->err, "${env.%s}: the environment variable %s is not set", name,
                      name);
}

/* NAME as written between "${" and "}". */
static int look_up(const struct expansion *e, const char *name, const char **ret)
{
    const struct recipe_scope *scope = e->scope;
    const struct recipe_vars *given = scope->given;
    int r;
    if (strncmp(name, "var.", 4) == 0)
        r = look_up_pair(e, "var", name + 4, scope->vars, scope->var_count, ret);
    else if (strncmp(name, "bake.", 5) == 0)
        r = look_up_pair(e, "bake", name + 5, given->builtins, given->builtin_count, ret);
    else if (strncmp(name, "env.", 4) == 0)
        r = look_up_env(e, name + 4, ret);
    else
        r = json_error(
            e->doc, e->node, e->err,
            "unknown variable ${%s}: write ${var.NAME}, ${env.NAME} or ${bake.NAME}, and $${ for a "
            "plain ${",
            name);
    if (r == 0 && !utf8_ok(*ret, strlen(*ret)))
        r = json_error(e->doc, e->node, e->err, "the value of ${%s} is not UTF-8", name);
    return r;
}

/* The name after "${" at AT; *ret_end is what follows the "}". */
static int read_name(const struct expansion *e, const char *at, char name[static VAR_NAME_MAX + 1],
                     const char **ret_end)
{
    size_t len = strspn(at, name_chars);
    if (at[len] != '}')
        return json_error(
            e->doc, e->node, e->err,
            "\"${%.40s\" is not a variable: it needs a name and \"}\"; write $${ for a plain ${", at);
    if (len == 0 || len > VAR_NAME_MAX)
        return json_error(e->doc, e->node, e->err, "a variable's name has 1 to %d characters", VAR_NAME_MAX);
    memcpy(name, at, len);
    name[len] = '\0';
    *ret_end = at + len + 1;
    return 0;
}

/* Percent-encodes a folder's name for a file: URL. Values that the user gives may hold escapes already;
 * bake's own are plain paths. */
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

/* Appends what the "${" at DOLLAR stands for; *ret_end is what follows its "}". */
static int expand_one(const struct expansion *e, const char *dollar, bool escape, struct buf *out,
                      const char **ret_end)
{
    char name[VAR_NAME_MAX + 1];
    const char *value = NULL;
    if (read_name(e, dollar + 2, name, ret_end) < 0 || look_up(e, name, &value) < 0)
        return -1;
    if (escape)
        add_escaped(out, name, value);
    else
        buf_str(out, value);
    return 0;
}

int recipe_expand(const struct recipe_scope *scope, const struct json_doc *doc, const cJSON *node,
                  bool escape, struct arena *arena, const char **ret, struct err *err)
{
    const struct expansion e = {.scope = scope, .doc = doc, .node = node, .err = err};
    cleanup_buf struct buf out = BUF_INIT(RECIPE_STRING_MAX);
    const char *p = node->valuestring, *dollar;
    while (!out.failed && (dollar = strstr(p, "${"))) {
        if (dollar > p && dollar[-1] == '$') { /* $${ */
            buf_add(&out, p, (size_t)(dollar - p) - 1);
            buf_str(&out, "${");
            p = dollar + 2;
            continue;
        }
        buf_add(&out, p, (size_t)(dollar - p));
        if (expand_one(&e, dollar, escape, &out, &p) < 0)
            return -1;
    }
    buf_str(&out, p);
    if (out.failed)
        return json_error(doc, node, err, "this text is longer than %d KiB", RECIPE_STRING_MAX >> 10);
    char *copy = arena_strndup(arena, out.data ? out.data : "", out.len);
    if (!copy)
        return err_oom(err);
    *ret = copy;
    return 0;
}
