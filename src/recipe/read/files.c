/* Files, and the sources that files, units and manifests share. */
#include <sodium.h>
#include <string.h>

#include "base/path.h"
#include "recipe/read/keys.h"
#include "recipe/read/reader.h"

enum { XATTR_VALUE_MAX = 64 << 10, XATTRS_MAX = 100 };

int read_member(struct reader *r, const cJSON *object, const char *key, const char **ret)
{
    const char *text;
    if (read_text(r, object, key, 0, &text) < 0)
        return -1;
    *ret = NULL;
    if (!text)
        return 0;
    const cJSON *node = read_node(object, key);
    if (text[0] == '/')
        return json_error(r->doc, node, r->err,
                          "\"%s\" is a name inside an archive: write it without the first /", key);
    char rooted[PATH_CAP], normal[PATH_CAP];
    struct err inner = {0};
    if (snprintf(rooted, sizeof rooted, "/%s", text) >= PATH_CAP ||
        path_normalize(rooted, normal, &inner) < 0)
        return json_error(r->doc, node, r->err, "\"%s\" is no name inside an archive: \"%.200s\"%s", key,
                          text, strstr(text, "..") ? " contains \"..\"" : "");
    const char *copy = arena_strdup(&r->recipe->arena, normal + 1);
    if (!copy)
        return err_oom(r->err);
    *ret = copy;
    return 0;
}

/* The keys of which an object may hold one. */
static int one_of(struct reader *r, const cJSON *object, const char *const *keys, const char *what,
                  const char **ret)
{
    const char *first = NULL;
    for (const cJSON *child = object->child; child; child = child->next)
        for (size_t i = 0; keys[i]; i++) {
            if (strcmp(child->string, keys[i]) != 0)
                continue;
            if (first)
                return json_error(r->doc, child, r->err, "\"%s\" and \"%s\" are both here: give one %s",
                                  first, keys[i], what);
            first = keys[i];
        }
    *ret = first;
    return 0;
}

static int read_builtin(struct reader *r, const cJSON *object, const char *self, const char **ret)
{
    const cJSON *node = read_node(object, "builtin");
    if (self && cJSON_IsTrue(node)) {
        *ret = self;
        return 0;
    }
    if (cJSON_IsString(node))
        return read_string(r, node, "builtin", 0, ret);
    return json_error(r->doc, node, r->err, "\"builtin\" must be %sthe name of a file that bake carries",
                      self ? "true, or " : "");
}

static int read_from(struct reader *r, const cJSON *object, const char **ret)
{
    const char *from;
    if (read_text(r, object, "from", TEXT_NEEDED, &from) < 0)
        return -1;
    return read_local(r, from, ret);
}

int read_source(struct reader *r, const cJSON *object, const char *self, struct recipe_source *ret)
{
    static const char *const kinds[] = {"text", "from", "builtin", "input", NULL};
    struct recipe_source s = {.where = read_where(r, object)};
    const char *key;
    if (one_of(r, object, kinds, "source", &key) < 0)
        return -1;
    const cJSON *member = read_node(object, "member"), *tree = read_node(object, "tree");
    if ((member || tree) && (!key || strcmp(key, "input") != 0))
        return json_error(r->doc, member ? member : tree, r->err, "\"%s\" needs an \"input\" to be in",
                          member ? "member" : "tree");
    if (member && tree)
        return json_error(r->doc, tree, r->err, "\"member\" and \"tree\" are both here: give one of them");
    if (!key) {
        *ret = s;
        return 0;
    }
    s.where = read_where(r, read_node(object, key));
    int result = 0;
    switch (key[0]) {
    case 't':
        s.kind = SOURCE_TEXT;
        result = read_text(r, object, key, TEXT_FREE | TEXT_NEEDED, &s.text);
        break;
    case 'f':
        s.kind = SOURCE_LOCAL;
        result = read_from(r, object, &s.name);
        break;
    case 'b':
        s.kind = SOURCE_BUILTIN;
        result = read_builtin(r, object, self, &s.name);
        break;
    default:
        s.kind = tree ? SOURCE_TREE : member ? SOURCE_MEMBER : SOURCE_INPUT;
        result = read_input_ref(r, object, &s.input);
        if (result == 0)
            result = read_member(r, object, tree ? "tree" : "member", &s.member);
        if (result == 0 && s.kind == SOURCE_MEMBER && s.member[0] == '\0')
            result =
                json_error(r->doc, member, r->err, "\"member\" must name one file; a folder is a \"tree\"");
        break;
    }
    if (result == 0)
        *ret = s;
    return result;
}

static int read_mode(struct reader *r, const cJSON *node, struct recipe_file *file)
{
    const cJSON *mode = read_node(node, "mode");
    if (!mode)
        return 0;
    const char *text;
    if (cJSON_IsNumber(mode))
        return json_error(r->doc, mode, r->err, "\"mode\" must be a string of octal digits, like \"0755\"");
    if (read_string(r, mode, "mode", 0, &text) < 0)
        return -1;
    size_t len = strlen(text);
    if (len < 3 || len > 5 || !only_chars(text, "01234567") || (len == 5 && text[0] != '0'))
        return json_error(r->doc, mode, r->err, "mode \"%.40s\" must be 3 or 4 octal digits, like \"0755\"",
                          text);
    for (const char *c = text; *c; c++)
        file->mode = file->mode * 8 + (uint32_t)(*c - '0');
    file->has_mode = true;
    return 0;
}

static int read_id(struct reader *r, const cJSON *node, const char *key, uint32_t *ret)
{
    uint64_t id = 0;
    /* 2^32 - 1 means "no change" to chown(2) and is nobody's. */
    if (json_get_uint(r->doc, node, key, false, 0, UINT32_MAX - 1, &id, r->err) < 0)
        return -1;
    *ret = (uint32_t)id;
    return 0;
}

/* uid and gid, or "owner": "archive". */
static int read_owner(struct reader *r, const cJSON *node, struct recipe_file *file)
{
    const cJSON *owner = read_node(node, "owner"), *uid = read_node(node, "uid"),
                *gid = read_node(node, "gid");
    const char *text;
    file->has_owner = uid || gid || owner;
    if (!owner)
        return read_id(r, node, "uid", &file->uid) < 0 ? -1 : read_id(r, node, "gid", &file->gid);
    if (read_string(r, owner, "owner", 0, &text) < 0)
        return -1;
    if (strcmp(text, "archive") != 0)
        return json_error(r->doc, owner, r->err,
                          "\"owner\" must be \"archive\"; numbers are given as \"uid\" and \"gid\"");
    if (uid || gid)
        return json_error(r->doc, owner, r->err, "\"owner\" and \"%s\" are both here: give one of them",
                          uid ? "uid" : "gid");
    if (file->source.kind != SOURCE_TREE && file->source.kind != SOURCE_MEMBER)
        return json_error(r->doc, owner, r->err, "\"owner\" needs a \"member\" or a \"tree\" of an archive");
    file->archive_owner = true;
    return 0;
}

static int read_base64(struct reader *r, const cJSON *node, struct recipe_xattr *ret)
{
    const char *text;
    if (json_only(r->doc, node, xattr_keys, r->err) < 0 ||
        read_text(r, node, "base64", TEXT_NEEDED | TEXT_FREE, &text) < 0)
        return -1;
    size_t len = strlen(text), size = 0;
    unsigned char *bytes = arena_alloc(&r->recipe->arena, len + 1);
    if (!bytes)
        return err_oom(r->err);
    if (sodium_base642bin(bytes, len + 1, text, len, NULL, &size, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return json_error(r->doc, read_node(node, "base64"), r->err,
                          "\"base64\" is not base64 with padding (RFC 4648)");
    ret->value = bytes;
    ret->size = size;
    return 0;
}

static int read_xattr(struct reader *r, const cJSON *node, struct recipe_xattr *ret)
{
    static const char *const spaces[] = {"user.", "security.", "trusted."};
    bool known = false;
    for (size_t i = 0; i < 3; i++)
        known = known ||
                (strncmp(node->string, spaces[i], strlen(spaces[i])) == 0 && node->string[strlen(spaces[i])]);
    if (!known || !path_name_ok(node->string))
        return json_error(r->doc, node, r->err,
                          "attribute \"%.100s\" must be named user.X, security.X or trusted.X", node->string);
    ret->name = arena_strdup(&r->recipe->arena, node->string);
    if (!ret->name)
        return err_oom(r->err);
    if (cJSON_IsObject(node)) {
        if (read_base64(r, node, ret) < 0)
            return -1;
    } else {
        const char *text;
        if (read_string(r, node, node->string, TEXT_FREE, &text) < 0)
            return -1;
        ret->value = text;
        ret->size = strlen(text);
    }
    if (ret->size > XATTR_VALUE_MAX)
        return json_error(r->doc, node, r->err, "the value is longer than %d KiB", XATTR_VALUE_MAX >> 10);
    return 0;
}

static int compare_xattrs(const void *a, const void *b)
{
    return strcmp(((const struct recipe_xattr *)a)->name, ((const struct recipe_xattr *)b)->name);
}

static int read_xattrs(struct reader *r, const cJSON *file, struct recipe_file *ret)
{
    const cJSON *object;
    if (json_get_object(r->doc, file, "xattrs", false, &object, r->err) < 0)
        return -1;
    size_t count = object ? (size_t)cJSON_GetArraySize(object) : 0;
    if (count == 0)
        return 0;
    if (count > XATTRS_MAX)
        return json_error(r->doc, object, r->err, "more than %d attributes", XATTRS_MAX);
    struct recipe_xattr *xattrs = arena_array(&r->recipe->arena, count, sizeof *xattrs);
    if (!xattrs)
        return err_oom(r->err);
    size_t i = 0;
    for (const cJSON *node = object->child; node; node = node->next)
        if (read_xattr(r, node, &xattrs[i++]) < 0)
            return -1;
    qsort(xattrs, count, sizeof *xattrs, compare_xattrs);
    ret->xattrs = xattrs;
    ret->xattr_count = count;
    return 0;
}

/* What the entry makes, and that no key is there which means nothing for it. */
static int read_kind(struct reader *r, const cJSON *node, struct recipe_file *file)
{
    static const char *const kinds[] = {"text",    "from",      "builtin", "input",
                                        "symlink", "directory", "remove",  NULL};
    static const char *const not_symlink[] = {"mode", "xattrs", NULL},
                             *const not_tree[] = {"mode", "xattrs", NULL},
                             *const not_remove[] = {"mode", "owner", "uid", "gid", "xattrs", NULL},
                             *const fine[] = {NULL};
    const char *const *refused = fine;
    const char *key;
    if (one_of(r, node, kinds, "of them", &key) < 0)
        return -1;
    if (!key)
        return json_error(
            r->doc, node, r->err,
            "this file has no content: give text, from, builtin, input, symlink, directory or remove");
    bool flag = true;
    if (read_source(r, node, NULL, &file->source) < 0)
        return -1;
    if (strcmp(key, "symlink") == 0) {
        file->kind = RECIPE_SYMLINK;
        refused = not_symlink;
        if (read_text(r, node, key, TEXT_NEEDED, &file->target) < 0)
            return -1;
        if (strlen(file->target) >= PATH_CAP)
            return json_error(r->doc, read_node(node, key), r->err, "a link's target has at most %d bytes",
                              PATH_CAP - 1);
    } else if (strcmp(key, "directory") == 0 || strcmp(key, "remove") == 0) {
        file->kind = key[0] == 'd' ? RECIPE_DIRECTORY : RECIPE_REMOVE;
        refused = key[0] == 'd' ? fine : not_remove;
        if (json_get_bool(r->doc, node, key, true, &flag, r->err) < 0)
            return -1;
    } else if (file->source.kind == SOURCE_TREE) {
        file->kind = RECIPE_TREE;
        refused = not_tree;
    }
    if (!flag)
        return json_error(r->doc, read_node(node, key), r->err, "\"%s\" must be true or left out", key);
    for (; *refused; refused++)
        if (read_node(node, *refused))
            return json_error(r->doc, read_node(node, *refused), r->err,
                              "\"%s\" means nothing together with \"%s\"", *refused,
                              file->kind == RECIPE_TREE ? "tree" : key);
    return 0;
}

static int read_file(struct reader *r, const cJSON *node, struct recipe_file *file)
{
    const char *path;
    char normal[PATH_CAP];
    if (json_only(r->doc, node, file_keys, r->err) < 0 || read_text(r, node, "path", TEXT_NEEDED, &path) < 0)
        return -1;
    const cJSON *at = read_node(node, "path");
    struct err inner = {0};
    if (path_normalize(path, normal, &inner) < 0)
        return json_error(r->doc, at, r->err, "%s", inner.text);
    if (normal[1] == '\0')
        return json_error(r->doc, at, r->err, "\"path\" must not be the root directory");
    file->where = read_where(r, at);
    file->path = arena_strdup(&r->recipe->arena, normal);
    if (!file->path)
        return err_oom(r->err);
    if (read_kind(r, node, file) < 0 || read_mode(r, node, file) < 0 || read_owner(r, node, file) < 0)
        return -1;
    return read_xattrs(r, node, file);
}

int read_files(struct reader *r, const cJSON *root)
{
    const cJSON *node;
    size_t count, i = 0;
    if (read_list(r, root, "files", false, &node, &count) < 0)
        return -1;
    struct recipe_file *files = arena_array(&r->recipe->arena, count + 1, sizeof *files);
    cleanup_free struct named *names = calloc(count + 1, sizeof *names);
    if (!files || !names)
        return err_oom(r->err);
    for (; node; node = node->next, i++) {
        if (read_file(r, node, &files[i]) < 0)
            return -1;
        names[i] = (struct named){files[i].path, files[i].where};
    }
    r->recipe->files = files;
    r->recipe->file_count = count;
    return refuse_twice(r, names, count, "files are for");
}
