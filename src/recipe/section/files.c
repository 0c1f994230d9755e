/* Files, folders, links and trees that the recipe puts into the image. */
#include <stdlib.h>
#include <string.h>

#include "recipe/section/keys.h"
#include "recipe/section/sections.h"
#include "recipe/section/source.h"
#include "text/base64.h"
#include "text/path.h"

enum { XATTR_VALUE_MAX = 64 << 10, XATTRS_MAX = 100 };

static int read_mode(struct recipe_reader *r, const cJSON *node, struct recipe_file *file)
{
    const cJSON *mode = read_node(node, "mode");
    if (!mode)
        return 0;
    const char *text;
    if (cJSON_IsNumber(mode))
        return read_error(r, mode, "\"mode\" must be a string of octal digits, like \"0755\"");
    if (read_string(r, mode, "mode", 0, &text) < 0)
        return -1;
    size_t len = strlen(text);
    if (len < 3 || len > 5 || !recipe_only_chars(text, "01234567") || (len == 5 && text[0] != '0'))
        return read_error(r, mode, "mode \"%.40s\" must be 3 or 4 octal digits, like \"0755\"", text);
    for (const char *c = text; *c; c++)
        file->mode = file->mode * 8 + (uint32_t)(*c - '0');
    file->has_mode = true;
    return 0;
}

static int read_id(struct recipe_reader *r, const cJSON *node, const char *key, uint32_t *ret)
{
    uint64_t id = 0;
    /* 2^32 - 1 means "no change" to chown(2) */
    if (json_get_uint(r->doc, node, key, false, 0, UINT32_MAX - 1, &id, r->err) < 0)
        return -1;
    *ret = (uint32_t)id;
    return 0;
}

/* uid and gid, or "owner": "archive". */
static int read_owner(struct recipe_reader *r, const cJSON *node, struct recipe_file *file)
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
        return read_error(r, owner, "\"owner\" must be \"archive\"; use \"uid\" and \"gid\" for numbers");
    if (uid || gid)
        return read_error(r, owner, "\"owner\" and \"%s\" exclude each other: give one of them",
                          uid ? "uid" : "gid");
    if (file->source.kind != SOURCE_TREE && file->source.kind != SOURCE_MEMBER)
        return read_error(r, owner, "\"owner\" needs a \"member\" or a \"tree\" of an archive");
    file->archive_owner = true;
    return 0;
}

static int read_base64(struct recipe_reader *r, const cJSON *node, struct recipe_xattr *ret)
{
    const char *text;
    if (read_only(r, node, xattr_keys) < 0 ||
        read_text(r, node, "base64", TEXT_NEEDED | TEXT_FREE, &text) < 0)
        return -1;
    size_t len = strlen(text), size = 0;
    unsigned char *bytes = arena_alloc(&r->recipe->arena, len + 1);
    if (!bytes)
        return err_oom(r->err);
    if (!base64_decode(text, len, bytes, len + 1, &size))
        return read_error(r, read_node(node, "base64"), "\"base64\" is not base64 with padding (RFC 4648)");
    ret->value = bytes;
    ret->size = size;
    return 0;
}

static int read_xattr(struct recipe_reader *r, const cJSON *node, struct recipe_xattr *ret)
{
    static const char *const spaces[] = {"user.", "security.", "trusted."};
    bool known = false;
    for (size_t i = 0; i < 3; i++)
        known = known ||
                (strncmp(node->string, spaces[i], strlen(spaces[i])) == 0 && node->string[strlen(spaces[i])]);
    if (!known || !path_name_ok(node->string))
        return read_error(r, node, "attribute \"%.100s\" must be named user.X, security.X or trusted.X",
                          node->string);
    if (read_copy(r, node->string, &ret->name) < 0)
        return -1;
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
        return read_error(r, node, "the value is longer than %d KiB", XATTR_VALUE_MAX >> 10);
    return 0;
}

static int compare_xattrs(const void *a, const void *b)
{
    return strcmp(((const struct recipe_xattr *)a)->name, ((const struct recipe_xattr *)b)->name);
}

static int read_xattrs(struct recipe_reader *r, const cJSON *file, struct recipe_file *ret)
{
    const cJSON *object;
    if (read_object(r, file, "xattrs", false, NULL, &object) < 0)
        return -1;
    size_t count = object ? (size_t)cJSON_GetArraySize(object) : 0;
    if (count == 0)
        return 0;
    if (count > XATTRS_MAX)
        return read_error(r, object, "more than %d attributes", XATTRS_MAX);
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

static int read_symlink(struct recipe_reader *r, const cJSON *node, struct recipe_file *file)
{
    file->kind = RECIPE_SYMLINK;
    if (read_text(r, node, "symlink", TEXT_NEEDED, &file->target) < 0)
        return -1;
    if (strlen(file->target) >= PATH_CAP)
        return read_error(r, read_node(node, "symlink"), "a link's target has at most %d bytes",
                          PATH_CAP - 1);
    return 0;
}

/* "directory" or "remove", which must be true. */
static int read_flag(struct recipe_reader *r, const cJSON *node, const char *key)
{
    bool flag = true;
    if (read_bool(r, node, key, true, &flag) < 0)
        return -1;
    return flag ? 0 : read_error(r, read_node(node, key), "\"%s\" must be true or left out", key);
}

static int refuse_keys(struct recipe_reader *r, const cJSON *node, const char *const *refused,
                       const char *with)
{
    for (; *refused; refused++)
        if (read_node(node, *refused))
            return read_error(r, read_node(node, *refused), "\"%s\" cannot be used with \"%s\"", *refused,
                              with);
    return 0;
}

/* What the entry makes; keys that mean nothing for it are refused. */
static int read_kind(struct recipe_reader *r, const cJSON *node, struct recipe_file *file)
{
    static const char *const kinds[] = {"text",    "from",      "builtin", "input",
                                        "symlink", "directory", "remove",  NULL};
    static const char *const not_link_or_tree[] = {"mode", "xattrs", NULL}, *const not_remove[] = {
                                                                                "mode", "owner",  "uid",
                                                                                "gid",  "xattrs", NULL};
    const char *key;
    if (read_one_of(r, node, kinds, "of them", &key) < 0)
        return -1;
    if (!key)
        return read_error(
            r, node,
            "this file has no content: give text, from, builtin, input, symlink, directory or remove");
    if (read_source(r, node, NULL, &file->source) < 0)
        return -1;
    if (strcmp(key, "symlink") == 0)
        return read_symlink(r, node, file) < 0 ? -1 : refuse_keys(r, node, not_link_or_tree, key);
    if (strcmp(key, "remove") == 0) {
        file->kind = RECIPE_REMOVE;
        return read_flag(r, node, key) < 0 ? -1 : refuse_keys(r, node, not_remove, key);
    }
    if (strcmp(key, "directory") == 0) {
        file->kind = RECIPE_DIRECTORY;
        return read_flag(r, node, key);
    }
    if (file->source.kind != SOURCE_TREE)
        return 0;
    file->kind = RECIPE_TREE;
    return refuse_keys(r, node, not_link_or_tree, "tree");
}

static int read_file(struct recipe_reader *r, const cJSON *node, void *item, struct read_name *ret)
{
    struct recipe_file *file = item;
    const char *path;
    char normal[PATH_CAP];
    if (read_only(r, node, file_keys) < 0 || read_text(r, node, "path", TEXT_NEEDED, &path) < 0)
        return -1;
    const cJSON *at = read_node(node, "path");
    struct err inner = {0};
    if (path_normalize(path, normal, &inner) < 0)
        return read_error(r, at, "%s", inner.text);
    if (normal[1] == '\0')
        return read_error(r, at, "\"path\" must not be the root directory");
    file->where = read_where(r, at);
    if (read_copy(r, normal, &file->path) < 0 || read_kind(r, node, file) < 0 ||
        read_mode(r, node, file) < 0 || read_owner(r, node, file) < 0)
        return -1;
    *ret = (struct read_name){file->path, at};
    return read_xattrs(r, node, file);
}

int read_files(struct recipe_reader *r, const cJSON *root)
{
    static const struct read_list list = {
        .key = "files", .size = sizeof(struct recipe_file), .read = read_file, .what = "file"};
    r->recipe->files = read_list(r, root, &list, &r->recipe->file_count);
    return r->recipe->files ? 0 : -1;
}
