#include "recipe/section/source.h"

#include <string.h>

#include "recipe/section/inputs.h"
#include "text/path.h"

int read_member(struct recipe_reader *r, const cJSON *object, const char *key, const char **ret)
{
    const char *text;
    if (read_text(r, object, key, 0, &text) < 0)
        return -1;
    *ret = NULL;
    if (!text)
        return 0;
    const cJSON *node = read_node(object, key);
    if (text[0] == '/')
        return read_error(r, node, "\"%s\" is a name inside an archive: write it without the leading /", key);
    char rooted[PATH_CAP], normal[PATH_CAP];
    struct err inner = {0};
    if (snprintf(rooted, sizeof rooted, "/%s", text) >= PATH_CAP ||
        path_normalize(rooted, normal, &inner) < 0)
        return read_error(r, node, "\"%s\" is not a valid name inside an archive: \"%.200s\"%s", key, text,
                          strstr(text, "..") ? " contains \"..\"" : "");
    return read_copy(r, normal + 1, ret);
}

int read_one_of(struct recipe_reader *r, const cJSON *object, const char *const *keys, const char *what,
                const char **ret)
{
    const char *first = NULL;
    for (const cJSON *child = object->child; child; child = child->next)
        for (size_t i = 0; keys[i]; i++) {
            if (strcmp(child->string, keys[i]) != 0)
                continue;
            if (first)
                return read_error(r, child, "\"%s\" and \"%s\" exclude each other: give one %s", first,
                                  keys[i], what);
            first = keys[i];
        }
    *ret = first;
    return 0;
}

static int read_builtin(struct recipe_reader *r, const cJSON *object, const char *self, const char **ret)
{
    const cJSON *node = read_node(object, "builtin");
    if (self && cJSON_IsTrue(node)) {
        *ret = self;
        return 0;
    }
    if (cJSON_IsString(node))
        return read_string(r, node, "builtin", 0, ret);
    return read_error(r, node, "\"builtin\" must be %sthe name of a file built into bake",
                      self ? "true, or " : "");
}

static int read_from(struct recipe_reader *r, const cJSON *object, const char **ret)
{
    const char *from;
    if (read_text(r, object, "from", TEXT_NEEDED, &from) < 0)
        return -1;
    return read_local(r, from, ret);
}

/* "input", alone or with "member" or "tree". */
static int read_input_source(struct recipe_reader *r, const cJSON *object, struct recipe_source *s)
{
    const cJSON *member = read_node(object, "member"), *tree = read_node(object, "tree");
    s->kind = tree ? SOURCE_TREE : member ? SOURCE_MEMBER : SOURCE_INPUT;
    if (read_input_ref(r, object, &s->input) < 0 ||
        read_member(r, object, tree ? "tree" : "member", &s->member) < 0)
        return -1;
    if (s->kind == SOURCE_MEMBER && s->member[0] == '\0')
        return read_error(r, member, "\"member\" must name one file; a folder is a \"tree\"");
    return 0;
}

/* The source that KEY of OBJECT gives. */
static int read_key(struct recipe_reader *r, const cJSON *object, const char *key, const char *self,
                    struct recipe_source *s)
{
    if (strcmp(key, "input") == 0)
        return read_input_source(r, object, s);
    if (strcmp(key, "text") == 0) {
        s->kind = SOURCE_TEXT;
        return read_text(r, object, key, TEXT_FREE | TEXT_NEEDED, &s->text);
    }
    if (strcmp(key, "from") == 0) {
        s->kind = SOURCE_LOCAL;
        return read_from(r, object, &s->name);
    }
    s->kind = SOURCE_BUILTIN;
    return read_builtin(r, object, self, &s->name);
}

int read_source(struct recipe_reader *r, const cJSON *object, const char *self, struct recipe_source *ret)
{
    static const char *const kinds[] = {"text", "from", "builtin", "input", NULL};
    struct recipe_source s = {.where = read_where(r, object)};
    const char *key;
    if (read_one_of(r, object, kinds, "source", &key) < 0)
        return -1;
    const cJSON *member = read_node(object, "member"), *tree = read_node(object, "tree");
    if ((member || tree) && (!key || strcmp(key, "input") != 0))
        return read_error(r, member ? member : tree, "\"%s\" needs an \"input\" that contains it",
                          member ? "member" : "tree");
    if (member && tree)
        return read_error(r, tree, "\"member\" and \"tree\" exclude each other: give one of them");
    if (key) {
        s.where = read_where(r, read_node(object, key));
        if (read_key(r, object, key, self, &s) < 0)
            return -1;
    }
    *ret = s;
    return 0;
}
