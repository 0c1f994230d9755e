#include "recipe/read/reader.h"

#include <string.h>

const cJSON *read_node(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

struct recipe_where read_where(const struct reader *r, const cJSON *node)
{
    struct recipe_where where;
    json_where(r->doc, node, &where.line, &where.column);
    return where;
}

bool only_chars(const char *text, const char *allowed)
{
    return text[strspn(text, allowed)] == '\0';
}

bool is_dns_name(const char *name, size_t max)
{
    size_t len = strlen(name);
    return len > 0 && len <= max && strchr(LOWER, name[0]) && name[len - 1] != '-' &&
           only_chars(name, LOWER DIGITS "-");
}

const char *read_hint(const char *word, const char *const *words, char buf[static 400])
{
    const char *near = json_nearest(word, words);
    if (near) {
        snprintf(buf, 400, "; did you mean \"%.80s\"?", near);
        return buf;
    }
    size_t at = (size_t)snprintf(buf, 400, "; known are:");
    for (size_t i = 0; words[i] && at < 320; i++)
        at += (size_t)snprintf(buf + at, 400 - at, "%s %.60s", i ? "," : "", words[i]);
    if (!words[0])
        snprintf(buf, 400, "; none is known here");
    return buf;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

int read_string(struct reader *r, const cJSON *node, const char *what, int flags, const char **ret)
{
    if (!cJSON_IsString(node))
        return json_error(r->doc, node, r->err, "\"%s\" must be a string%s", what,
                          cJSON_IsNumber(node) ? ": put it in double quotes" : "");
    const char *text;
    if (read_expand(r, node, node->valuestring, flags, &text) < 0)
        return -1;
    if (!(flags & TEXT_FREE) && text[0] == '\0')
        return json_error(r->doc, node, r->err, "\"%s\" must not be empty", what);
    if (!(flags & TEXT_FREE) && has_control(text))
        return json_error(r->doc, node, r->err, "\"%s\" must not hold control characters", what);
    *ret = text;
    return 0;
}

int read_text(struct reader *r, const cJSON *object, const char *key, int flags, const char **ret)
{
    const cJSON *node = read_node(object, key);
    if (node)
        return read_string(r, node, key, flags, ret);
    if (flags & TEXT_NEEDED)
        return json_error(r->doc, object, r->err, "\"%s\" is missing here", key);
    *ret = NULL;
    return 0;
}

int read_word(struct reader *r, const cJSON *object, const char *key, int flags, const char *const *words,
              int *ret)
{
    const char *text;
    if (read_text(r, object, key, flags, &text) < 0)
        return -1;
    *ret = -1;
    if (!text)
        return 0;
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0) {
            *ret = i;
            return 0;
        }
    char hint[400];
    return json_error(r->doc, read_node(object, key), r->err, "\"%s\" cannot be \"%.100s\"%s", key, text,
                      read_hint(text, words, hint));
}

int read_list(struct reader *r, const cJSON *object, const char *key, bool strings, const cJSON **ret_first,
              size_t *ret_count)
{
    const cJSON *array;
    if (json_get_array(r->doc, object, key, false, &array, r->err) < 0)
        return -1;
    size_t count = 0;
    for (const cJSON *item = array ? array->child : NULL; item; item = item->next) {
        if (++count > RECIPE_LIST_MAX)
            return json_error(r->doc, item, r->err, "more than %d entries in \"%s\"", RECIPE_LIST_MAX, key);
        if (strings ? !cJSON_IsString(item) : !cJSON_IsObject(item))
            return json_error(r->doc, item, r->err, "each entry of \"%s\" must be %s", key,
                              strings ? "a string" : "an object");
    }
    *ret_first = array ? array->child : NULL;
    *ret_count = count;
    return 0;
}

int read_local(struct reader *r, const char *path, const char **ret)
{
    bool joined = path[0] != '/' && r->dir && r->dir[0];
    const char *slash = joined && r->dir[strlen(r->dir) - 1] == '/' ? "" : "/";
    char *made = joined ? arena_printf(&r->recipe->arena, "%s%s%s", r->dir, slash, path)
                        : arena_strdup(&r->recipe->arena, path);
    if (!made)
        return err_oom(r->err);
    *ret = made;
    return 0;
}

static int compare_named(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    if (order != 0)
        return order;
    if (x->where.line != y->where.line)
        return x->where.line < y->where.line ? -1 : 1;
    return (x->where.column > y->where.column) - (x->where.column < y->where.column);
}

int refuse_twice(struct reader *r, struct named *names, size_t count, const char *what)
{
    if (count < 2)
        return 0;
    qsort(names, count, sizeof *names, compare_named);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1].name, names[i].name) == 0)
            return recipe_error(r->recipe, names[i].where, r->err,
                                "two %s \"%.300s\": the first is at line %u", what, names[i].name,
                                names[i - 1].where.line);
    return 0;
}
