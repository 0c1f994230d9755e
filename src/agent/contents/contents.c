#include "agent/contents/contents.h"

#include <string.h>

#include "node/json_pull.h"
#include "text/base64.h"
#include "text/hex.h"

/* Keys are in byte order, so there are no duplicates (RFC 8785 3.2.3). */
static void check_order(struct json_pull *j, char last[static 16], const char *key)
{
    if (strcmp(last, key) >= 0)
        json_pull_fail(j, "its keys are not in order, or one is unknown");
    else
        snprintf(last, 16, "%s", key);
}

static void read_mode(struct json_pull *j, struct contents_entry *entry)
{
    char text[5];
    mode_t mode = 0;
    json_pull_string(j, text, sizeof text);
    if (strspn(text, "01234567") != 4)
        json_pull_fail(j, "a mode is four octal digits");
    for (size_t i = 0; i < 4 && text[i]; i++)
        mode = mode << 3 | (mode_t)(text[i] - '0');
    entry->mode = mode;
    entry->has_mode = true;
}

static uint32_t read_id(struct json_pull *j)
{
    uint64_t id = json_pull_uint(j);
    if (id >= UINT32_MAX)
        json_pull_fail(j, "an owner is out of range");
    return (uint32_t)id;
}

static void read_sha256(struct json_pull *j, struct contents_entry *entry)
{
    char text[65];
    json_pull_string(j, text, sizeof text);
    if (!hex_is_lower(text, strlen(text)) || !hex_decode(text, entry->sha256, sizeof entry->sha256))
        json_pull_fail(j, "a sha256 is 64 lower-case hex digits");
    entry->has_sha256 = true;
}

static void read_type(struct json_pull *j, struct contents_entry *entry)
{
    static const char *const names[] = {"", "directory", "file", "symlink"};
    char text[16];
    json_pull_string(j, text, sizeof text);
    for (size_t i = 1; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0)
            entry->type = (enum contents_type)i;
    if (entry->type == CONTENTS_TYPE_NONE)
        json_pull_fail(j, "a type is unknown");
}

static void read_xattr(struct json_pull *j, struct contents_entry *entry, struct contents_xattr *xattr)
{
    enum { TEXT_CAP = CONTENTS_XATTRS_SIZE / 3 * 4 + 8 };
    cleanup_free char *text = malloc(TEXT_CAP);
    xattr->at = entry->xattr_bytes;
    xattr->size = 0;
    if (!text) {
        json_pull_fail(j, "out of memory");
        return;
    }
    json_pull_string(j, text, TEXT_CAP);
    if (!base64_decode(text, strlen(text), entry->xattr_values + xattr->at,
                       sizeof entry->xattr_values - xattr->at, &xattr->size))
        json_pull_fail(j, "an xattr is not base64, or too large");
    entry->xattr_bytes += xattr->size;
}

static void read_xattrs(struct json_pull *j, struct contents_entry *entry)
{
    char name[256];
    for (json_pull_open(j, '{'); json_pull_key(j, name, sizeof name);) {
        if (entry->xattr_count == CONTENTS_XATTRS_MAX || name[0] == '\0') {
            json_pull_fail(j, "an entry has too many xattrs, or one without a name");
            return;
        }
        struct contents_xattr *xattr = &entry->xattrs[entry->xattr_count++];
        snprintf(xattr->name, sizeof xattr->name, "%s", name);
        read_xattr(j, entry, xattr);
    }
}

static void read_member(struct json_pull *j, const char *key, struct contents_entry *entry)
{
    if (strcmp(key, "gid") == 0) {
        entry->gid = read_id(j);
        entry->has_gid = true;
    } else if (strcmp(key, "uid") == 0) {
        entry->uid = read_id(j);
        entry->has_uid = true;
    } else if (strcmp(key, "mode") == 0) {
        read_mode(j, entry);
    } else if (strcmp(key, "path") == 0) {
        json_pull_string(j, entry->path, sizeof entry->path);
    } else if (strcmp(key, "sha256") == 0) {
        read_sha256(j, entry);
    } else if (strcmp(key, "size") == 0) {
        entry->size = json_pull_uint(j);
        entry->has_size = true;
    } else if (strcmp(key, "target") == 0) {
        json_pull_string(j, entry->target, sizeof entry->target);
    } else if (strcmp(key, "type") == 0) {
        read_type(j, entry);
    } else if (strcmp(key, "xattrs") == 0) {
        read_xattrs(j, entry);
    } else {
        json_pull_fail(j, "an entry has an unknown key");
    }
}

/* Each type has a fixed set of members: all of them, no others. */
static bool complete(const struct contents_entry *e)
{
    bool is_file = e->type == CONTENTS_TYPE_FILE, is_link = e->type == CONTENTS_TYPE_SYMLINK;
    char normal[PATH_CAP];
    struct err ignored;
    if (e->type == CONTENTS_TYPE_NONE || path_normalize(e->path, normal, &ignored) < 0 ||
        strcmp(normal, e->path) != 0)
        return false;
    if (e->has_uid != e->has_gid || e->has_sha256 != is_file || e->has_size != is_file ||
        (e->target[0] != '\0') != is_link)
        return false;
    if (e->type == CONTENTS_TYPE_DIRECTORY)
        return e->has_mode == e->has_uid;
    return e->has_uid && e->has_mode == is_file;
}

static void clear(struct contents_entry *entry)
{
    entry->path[0] = entry->target[0] = '\0';
    entry->type = CONTENTS_TYPE_NONE;
    entry->has_mode = entry->has_uid = entry->has_gid = entry->has_size = entry->has_sha256 = false;
    entry->xattr_count = entry->xattr_bytes = 0;
}

static int walk_entries(struct json_pull *j, struct contents_entry *entry, contents_visit *visit, void *ctx,
                        struct err *err)
{
    char key[16], above[PATH_CAP] = "";
    for (json_pull_open(j, '['); json_pull_item(j);) {
        char last[16] = "";
        clear(entry);
        for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);) {
            check_order(j, last, key);
            read_member(j, key, entry);
        }
        if (!j->message && !complete(entry))
            json_pull_fail(j, "an entry has missing or extra members, or a path that is not normal");
        if (!j->message && strcmp(above, entry->path) >= 0)
            json_pull_fail(j, "its entries are not in order");
        if (j->message)
            return 0;
        memcpy(above, entry->path, sizeof above);
        if (visit(ctx, entry, err) < 0)
            return -1;
    }
    return 0;
}

int contents_walk(const char *text, size_t len, contents_visit *visit, void *ctx, struct err *err)
{
    struct json_pull j = JSON_PULL_INIT(text, len);
    char key[16], last[16] = "";
    bool entries = false;
    uint64_t format = 0;
    cleanup_free struct contents_entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        return err_oom(err);
    for (json_pull_open(&j, '{'); json_pull_key(&j, key, sizeof key);) {
        check_order(&j, last, key);
        if (strcmp(key, "entries") == 0) {
            entries = true;
            if (walk_entries(&j, entry, visit, ctx, err) < 0)
                return -1;
        } else if (strcmp(key, "format") == 0) {
            format = json_pull_uint(&j);
        } else {
            json_pull_skip(&j);
        }
    }
    if (json_pull_end(&j, CONTENTS_LIST, err) < 0)
        return -1;
    if (!entries || format != CONTENTS_LIST_FORMAT)
        return err_set(err, ERR_VERIFY, 0, "%s: not a contents list of format %d", CONTENTS_LIST,
                       CONTENTS_LIST_FORMAT);
    return 0;
}
