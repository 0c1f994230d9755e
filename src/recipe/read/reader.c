#include "recipe/read/reader.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int read_error(const struct recipe_reader *r, const cJSON *node, const char *fmt, ...)
{
    char text[1536];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return json_error(r->doc, node, r->err, "%s", text);
}

const cJSON *read_node(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

struct recipe_where read_where(const struct recipe_reader *r, const cJSON *node)
{
    struct recipe_where where;
    json_where(r->doc, node, &where.line, &where.column);
    return where;
}

bool recipe_only_chars(const char *text, const char *allowed)
{
    return text[strspn(text, allowed)] == '\0';
}

bool recipe_dns_name_ok(const char *name, size_t max)
{
    size_t len = strlen(name);
    return len > 0 && len <= max && strchr(LOWER, name[0]) && name[len - 1] != '-' &&
           recipe_only_chars(name, LOWER DIGITS "-");
}

const char *read_hint(const char *word, const char *const *words, char buf[static READ_HINT_CAP])
{
    const char *near = json_nearest(word, words);
    if (near) {
        snprintf(buf, READ_HINT_CAP, "; did you mean \"%.80s\"?", near);
        return buf;
    }
    size_t at = (size_t)snprintf(buf, READ_HINT_CAP, "; known are:");
    for (size_t i = 0; words[i] && at < READ_HINT_CAP - 80; i++)
        at += (size_t)snprintf(buf + at, READ_HINT_CAP - at, "%s %.60s", i ? "," : "", words[i]);
    if (!words[0])
        snprintf(buf, READ_HINT_CAP, "; none are defined");
    return buf;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

int read_string(struct recipe_reader *r, const cJSON *node, const char *what, int flags, const char **ret)
{
    if (!cJSON_IsString(node))
        return read_error(r, node, "\"%s\" must be a string%s", what,
                          cJSON_IsNumber(node) ? ": put it in double quotes" : "");
    const char *text;
    bool escape = (flags & TEXT_URL) && strncmp(node->valuestring, "file:", 5) == 0;
    if (recipe_expand(&r->scope, r->doc, node, escape, &r->recipe->arena, &text, r->err) < 0)
        return -1;
    if (!(flags & TEXT_FREE) && text[0] == '\0')
        return read_error(r, node, "\"%s\" must not be empty", what);
    if (!(flags & TEXT_FREE) && has_control(text))
        return read_error(r, node, "\"%s\" must not hold control characters", what);
    *ret = text;
    return 0;
}

int read_text(struct recipe_reader *r, const cJSON *object, const char *key, int flags, const char **ret)
{
    const cJSON *node = read_node(object, key);
    if (node)
        return read_string(r, node, key, flags, ret);
    if (flags & TEXT_NEEDED)
        return read_error(r, object, "\"%s\" is missing here", key);
    *ret = NULL;
    return 0;
}

int read_word(struct recipe_reader *r, const cJSON *object, const char *key, int flags,
              const char *const *words, int *ret)
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
    char hint[READ_HINT_CAP];
    return read_error(r, read_node(object, key), "\"%s\" cannot be \"%.100s\"%s", key, text,
                      read_hint(text, words, hint));
}

int read_bool(struct recipe_reader *r, const cJSON *object, const char *key, bool fallback, bool *ret)
{
    return json_get_bool(r->doc, object, key, fallback, ret, r->err);
}

int read_only(struct recipe_reader *r, const cJSON *object, const char *const *known)
{
    return json_only(r->doc, object, known, r->err);
}

int read_object(struct recipe_reader *r, const cJSON *object, const char *key, bool needed,
                const char *const *known, const cJSON **ret)
{
    if (json_get_object(r->doc, object, key, needed, ret, r->err) < 0)
        return -1;
    return *ret && known ? read_only(r, *ret, known) : 0;
}

int read_copy(struct recipe_reader *r, const char *text, const char **ret)
{
    *ret = arena_strdup(&r->recipe->arena, text);
    return *ret ? 0 : err_oom(r->err);
}

int read_local(struct recipe_reader *r, const char *path, const char **ret)
{
    if (path[0] == '/' || !r->dir || !r->dir[0])
        return read_copy(r, path, ret);
    const char *slash = r->dir[strlen(r->dir) - 1] == '/' ? "" : "/";
    *ret = arena_printf(&r->recipe->arena, "%s%s%s", r->dir, slash, path);
    return *ret ? 0 : err_oom(r->err);
}

/* The list's array and how many entries it has; NULL and 0 when it is missing. */
static int open_list(struct recipe_reader *r, const cJSON *object, const struct read_list *list,
                     const cJSON **ret, size_t *ret_count)
{
    *ret_count = 0;
    if (json_get_array(r->doc, object, list->key, false, ret, r->err) < 0)
        return -1;
    for (const cJSON *item = *ret ? (*ret)->child : NULL; item; item = item->next) {
        if (++*ret_count > RECIPE_LIST_MAX)
            return read_error(r, item, "more than %d entries in \"%s\"", RECIPE_LIST_MAX, list->key);
        if (list->strings ? !cJSON_IsString(item) : !cJSON_IsObject(item))
            return read_error(r, item, "each entry of \"%s\" must be %s", list->key,
                              list->strings ? "a string" : "an object");
    }
    return 0;
}

/* A name and its place in the list. */
struct ranked_name {
    struct read_name name;
    size_t rank;
};

/* By text; equal ones in document order. */
static int compare_names(const void *a, const void *b)
{
    const struct ranked_name *x = a, *y = b;
    int order = strcmp(x->name.text, y->name.text);
    return order != 0 ? order : (x->rank > y->rank) - (x->rank < y->rank);
}

static int refuse_duplicates(struct recipe_reader *r, struct ranked_name *names, size_t count,
                             const char *what)
{
    if (count < 2)
        return 0;
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1].name.text, names[i].name.text) == 0)
            return read_error(r, names[i].name.node, "duplicate %s \"%.300s\": the first is at line %u", what,
                              names[i].name.text, read_where(r, names[i - 1].name.node).line);
    return 0;
}

void *read_list(struct recipe_reader *r, const cJSON *object, const struct read_list *list, size_t *ret_count)
{
    const cJSON *array;
    size_t count;
    if (open_list(r, object, list, &array, &count) < 0)
        return NULL;
    char *items = arena_array(&r->recipe->arena, count + 1, list->size);
    cleanup_free struct ranked_name *names = calloc(count + 1, sizeof *names);
    if (!items || !names) {
        err_oom(r->err);
        return NULL;
    }
    const cJSON *node = count ? array->child : NULL;
    for (size_t i = 0; node; node = node->next, i++) {
        if (list->read(r, node, items + i * list->size, &names[i].name) < 0)
            return NULL;
        names[i].rank = i;
    }
    if (refuse_duplicates(r, names, count, list->what) < 0)
        return NULL;
    *ret_count = count;
    return items;
}
