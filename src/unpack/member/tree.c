/* unpack_tree(): everything below a folder of an archive, as one cache entry. */
#include "unpack/member/member.h"

#include <string.h>

#include "json/json.h"

#include "unpack/member/content.h"
#include "unpack/member/links.h"

enum { OUTSIDE_MAX = 1000 };
static const char kind[] = "tree";

struct item {
    const char *path, *target;
    enum member_type type;
    struct file_meta meta;
    const char *hard; /* a hard link: the name of its target, until it is resolved */
    struct content content;
    size_t order; /* in the archive */
};

struct gather {
    struct arena arena;
    const char *prefix, *name;
    struct item *items;
    size_t count, room;
    struct bundle_writer *writer;
    struct links names; /* for near ones */
};

static void gather_free(struct gather *gather)
{
    links_free(&gather->names);
    free(gather->items);
    arena_free(&gather->arena);
}

static int add_item(struct gather *gather, const struct item *item, struct err *err)
{
    if (gather->count >= TREE_ENTRIES_MAX)
        return err_set(err, ERR_VERIFY, 0, "%s: more than %d files below \"%s\"", gather->name,
                       TREE_ENTRIES_MAX, gather->prefix);
    if (gather->count == gather->room) {
        size_t room = gather->room ? gather->room * 2 : 64;
        struct item *grown = reallocarray(gather->items, room, sizeof *grown);
        if (!grown)
            return err_oom(err);
        gather->items = grown;
        gather->room = room;
    }
    struct item *made = &gather->items[gather->count];
    *made = *item;
    made->order = gather->count++;
    made->path = arena_strdup(&gather->arena, item->path);
    made->target = item->target ? arena_strdup(&gather->arena, item->target) : NULL;
    made->hard = item->hard ? arena_strdup(&gather->arena, item->hard) : NULL;
    if (!made->path || (item->target && !made->target) || (item->hard && !made->hard))
        return err_oom(err);
    return 0;
}

static bool target_ok(const char *target)
{
    for (const char *c = target; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    return target[0] != '\0' && strlen(target) < PATH_CAP;
}

/* Names in Latin-1 and the like matter only below the prefix: manifests and contents lists hold UTF-8. */
static int other_charset(const struct gather *gather, const struct entry *entry, struct err *err)
{
    const char *rest = NULL, *name = entry->name;
    while (name[0] == '/' || strncmp(name, "./", 2) == 0)
        name += name[0] == '/' ? 1 : 2;
    if (!member_below(name, gather->prefix, &rest))
        return 0;
    return err_set(err, ERR_VERIFY, 0,
                   "%s: the name \"%.200s\" in it is not UTF-8: rename the file, and pack the archive again",
                   gather->name, entry->name);
}

static int take_entry(struct gather *gather, struct reader *reader, const struct entry *entry,
                      struct err *err)
{
    char name[PATH_CAP], hard[PATH_CAP];
    const char *rest = NULL;
    if (!json_utf8(entry->name, strlen(entry->name)))
        return other_charset(gather, entry, err);
    if (!member_name(entry->name, name))
        return err_set(err, ERR_VERIFY, 0, "%s: it holds the hostile or unreadable name \"%.200s\"",
                       gather->name, entry->name);
    if (entry->type == ENTRY_FILE)
        links_note(&gather->names, name);
    if (!member_below(name, gather->prefix, &rest))
        return 0;
    struct item item = {.path = rest, .meta = entry->meta};
    switch (entry->type) {
    case ENTRY_DIR:
        item.type = MEMBER_DIR;
        break;
    case ENTRY_SYMLINK:
        item.type = MEMBER_SYMLINK;
        item.target = entry->target;
        if (!target_ok(entry->target))
            return err_set(err, ERR_VERIFY, 0, "%s: \"%s\" is a link whose target cannot be used",
                           gather->name, name);
        break;
    case ENTRY_FILE:
        item.type = MEMBER_FILE;
        if (gather->writer->at > CONTENT_MAX)
            return err_set(err, ERR_VERIFY, 0, "%s: its files are more than %llu bytes", gather->name,
                           (unsigned long long)CONTENT_MAX);
        if (content_copy(reader, entry->size, &gather->writer, 1, &item.content, name, err) < 0)
            return err_wrap(err, "%s", gather->name);
        break;
    case ENTRY_HARDLINK:
        item.type = MEMBER_FILE;
        if (!member_name(entry->target, hard))
            return err_set(err, ERR_VERIFY, 0, "%s: \"%s\" is a hard link out of the archive", gather->name,
                           name);
        item.hard = hard;
        break;
    case ENTRY_OTHER:
        return err_set(err, ERR_VERIFY, 0, "%s: \"%s\" is a device, FIFO or socket", gather->name, name);
    }
    return add_item(gather, &item, err);
}

static int by_path(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static struct item *find(const struct gather *gather, size_t count, const char *path)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(gather->items[mid].path, path);
        if (order == 0)
            return &gather->items[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* A path that is there twice is refused, but for folders: the later one counts. */
static int drop_twins(struct gather *gather, struct err *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < gather->count; i++) {
        struct item *item = &gather->items[i];
        struct item *last = kept > 0 ? &gather->items[kept - 1] : NULL;
        if (!last || strcmp(last->path, item->path) != 0)
            gather->items[kept++] = *item;
        else if (last->type == MEMBER_DIR && item->type == MEMBER_DIR)
            *last = *item;
        else
            return err_set(err, ERR_VERIFY, 0, "%s: \"%s\" below \"%s\" is there twice", gather->name,
                           item->path, gather->prefix);
    }
    gather->count = kept;
    return 0;
}

/* Every parent is there and is a folder: nothing can be put through a link. */
static int add_parents(struct gather *gather, struct err *err)
{
    size_t named = gather->count;
    for (size_t i = 0; i < named; i++) {
        char path[PATH_CAP];
        const char *rest = NULL;
        snprintf(path, sizeof path, "%s", gather->items[i].path);
        for (char *slash = strrchr(path, '/'); slash; slash = strrchr(path, '/')) {
            *slash = '\0';
            if (i > 0 && member_below(gather->items[i - 1].path, path, &rest))
                break; /* done for the one before */
            const struct item *parent = find(gather, named, path);
            if (parent && parent->type != MEMBER_DIR)
                return err_set(err, ERR_VERIFY, 0, "%s: \"%s\" lies below \"%s\", which is not a folder",
                               gather->name, gather->items[i].path, path);
            const struct item implied = {.path = path, .type = MEMBER_DIR, .meta.mode = 0755};
            if (parent)
                break; /* its own parents are looked at on its account */
            if (add_item(gather, &implied, err) < 0)
                return -1;
        }
    }
    qsort(gather->items, gather->count, sizeof *gather->items, by_path);
    return 0;
}

static bool is_outside(const struct gather *gather, const struct item *item)
{
    const char *rest = NULL;
    return item->hard && !member_below(item->hard, gather->prefix, &rest);
}

/* The file NAME, for the hard links below the prefix that lead to it out of it. */
static int take_outside(struct gather *gather, struct item *const *links, size_t count, struct reader *reader,
                        const struct entry *entry, const char *name, struct err *err)
{
    const struct item *first = NULL;
    for (size_t i = 0; i < count; i++) {
        struct item *item = links[i];
        if (!item->hard || strcmp(item->hard, name) != 0)
            continue;
        if (!first && content_copy(reader, entry->size, &gather->writer, 1, &item->content, name, err) < 0)
            return err_wrap(err, "%s", gather->name);
        if (first)
            item->content = first->content;
        first = item;
        item->meta = entry->meta;
        item->hard = NULL;
    }
    return 0;
}

/* A second pass, where a hard link leads to a file that is not below the prefix. */
static int fetch_outside(const struct trusted *artifact, const struct run *run, struct gather *gather,
                         struct err *err)
{
    struct item *links[OUTSIDE_MAX];
    size_t count = 0;
    for (size_t i = 0; i < gather->count; i++) {
        if (!is_outside(gather, &gather->items[i]))
            continue;
        if (count == OUTSIDE_MAX)
            return err_set(err, ERR_VERIFY, 0, "%s: more than %d hard links lead out of \"%s\"", gather->name,
                           OUTSIDE_MAX, gather->prefix);
        links[count++] = &gather->items[i];
    }
    if (count == 0)
        return 0;
    cleanup_reader struct reader *reader = NULL;
    const struct reader_input input = reader_input_of(artifact);
    if (reader_open(&input, ARCHIVE_MAX, run, &reader, err) < 0)
        return -1;
    struct entry entry;
    char name[PATH_CAP];
    int r;
    while ((r = reader_next(reader, &entry, err)) > 0)
        if (entry.type == ENTRY_FILE && member_name(entry.name, name) &&
            take_outside(gather, links, count, reader, &entry, name, err) < 0)
            return -1;
    return r;
}

static int resolve_hard(struct gather *gather, struct err *err)
{
    for (size_t i = 0; i < gather->count; i++) {
        struct item *item = &gather->items[i];
        const struct item *target = item;
        if (!item->hard)
            continue;
        for (unsigned deep = 0; target && target->hard; deep++) {
            const char *rest = NULL;
            bool below = deep < LINKS_DEEP && member_below(target->hard, gather->prefix, &rest);
            target = below ? find(gather, gather->count, rest) : NULL;
        }
        if (!target || target->type == MEMBER_DIR)
            return err_set(err, ERR_VERIFY, 0,
                           "%s: \"%s\" is a hard link to \"%s\", which is no file of the archive",
                           gather->name, item->path, item->hard);
        item->type = target->type;
        item->target = target->target;
        item->meta = target->meta;
        item->content = target->content;
    }
    return 0;
}

static int gather_all(const struct trusted *artifact, const struct run *run, struct gather *gather,
                      struct err *err)
{
    cleanup_reader struct reader *reader = NULL;
    const struct reader_input input = reader_input_of(artifact);
    if (reader_open(&input, ARCHIVE_MAX, run, &reader, err) < 0)
        return -1;
    char words[READER_WORDS];
    if (reader_kind(reader) == READER_BARE)
        return err_set(err, ERR_VERIFY, 0, "%s: not an archive that bake reads (tar, zip, deb)%s",
                       gather->name, reader_words(reader, words));
    struct entry entry;
    int r;
    while ((r = reader_next(reader, &entry, err)) > 0)
        if (take_entry(gather, reader, &entry, err) < 0)
            return -1;
    if (r < 0)
        return -1;
    if (gather->count == 0) {
        char near[512];
        links_near(&gather->names, gather->prefix, near, sizeof near);
        return err_set(err, ERR_VERIFY, 0, "%s: there is nothing below \"%s\" in it%s", gather->name,
                       gather->prefix, near);
    }
    qsort(gather->items, gather->count, sizeof *gather->items, by_path);
    if (drop_twins(gather, err) < 0 || add_parents(gather, err) < 0 ||
        fetch_outside(artifact, run, gather, err) < 0)
        return -1;
    return resolve_hard(gather, err);
}

static void put_string(struct bundle_writer *writer, const char *text)
{
    bundle_put_number(writer, strlen(text));
    bundle_put_bytes(writer, text, strlen(text));
}

static int write_tree(const struct trusted *artifact, const char *prefix, const struct run *run,
                      struct bundle_writer *writer, struct err *err)
{
    cleanup(gather_free) struct gather gather = {
        .prefix = prefix, .name = artifact->origin ? artifact->origin : "the input", .writer = writer};
    if (gather_all(artifact, run, &gather, err) < 0)
        return -1;
    bundle_put_number(writer, gather.count);
    for (size_t i = 0; i < gather.count; i++) {
        const struct item *item = &gather.items[i];
        bundle_put_number(writer, item->type);
        content_put_meta(writer, &item->meta);
        put_string(writer, item->path);
        put_string(writer, item->target ? item->target : "");
        content_put(writer, &item->content);
    }
    return 0;
}

static int read_tree(int fd, struct tree *ret, struct err *err)
{
    cleanup_bundle_index struct bundle_index index = {0};
    struct file_identity identity;
    if (file_identify(fd, &identity, err) < 0 || bundle_read(fd, &index, err) < 0)
        return -1;
    uint64_t count = bundle_get_number(&index);
    if (count > 2 * (uint64_t)TREE_ENTRIES_MAX)
        index.failed = true;
    ret->entries = arena_array(&ret->arena, index.failed ? 1 : (size_t)count + 1, sizeof *ret->entries);
    if (!ret->entries)
        return err_oom(err);
    for (uint64_t i = 0; i < count && !index.failed; i++) {
        struct tree_entry *entry = &ret->entries[ret->entry_count++];
        uint64_t type = bundle_get_number(&index);
        index.failed |= type > MEMBER_SYMLINK;
        entry->type = (enum member_type)type;
        content_get_meta(&index, &entry->meta);
        entry->path = bundle_get_string(&index, &ret->arena);
        entry->target = bundle_get_string(&index, &ret->arena);
        content_get(&index, fd, &entry->blob);
        entry->blob.identity = identity;
        if (entry->type != MEMBER_SYMLINK)
            entry->target = NULL;
        if (entry->type != MEMBER_FILE)
            entry->blob = (struct blob){.fd = -1};
    }
    return bundle_read_end(&index, err);
}

static int cached(const struct trusted *artifact, const char *prefix, struct cache *cache,
                  const struct run *run, int *ret_fd, struct err *err)
{
    char key[SHA256_HEX];
    if (content_key(artifact, prefix, key, err) < 0 ||
        cache_find(cache, kind, key, ret_fd, NULL, run, err) < 0)
        return -1;
    if (*ret_fd >= 0)
        return 0;
    cleanup_cache_entry struct cache_entry entry = CACHE_ENTRY_EMPTY;
    if (cache_begin(cache, kind, key, &entry, run, err) < 0)
        return -1;
    if (entry.found_fd >= 0) {
        *ret_fd = steal_fd(&entry.found_fd);
        return 0;
    }
    cleanup_bundle_writer struct bundle_writer writer = {0};
    struct sha256 sha256;
    if (bundle_begin(&writer, entry.fd, err) < 0 || write_tree(artifact, prefix, run, &writer, err) < 0 ||
        bundle_end(&writer, &sha256, err) < 0)
        return -1;
    return cache_commit(&entry, &sha256, ret_fd, err);
}

int unpack_tree(const struct trusted *artifact, const char *prefix, struct cache *cache,
                const struct run *run, struct tree *ret, struct err *err)
{
    char normal[PATH_CAP];
    if (!member_name(prefix, normal))
        return err_set(err, ERR_RECIPE, 0, "\"%.200s\" is not the name of a folder in an archive", prefix);
    cleanup_tree struct tree made = TREE_EMPTY;
    if (cached(artifact, normal, cache, run, &made.fd, err) < 0 || read_tree(made.fd, &made, err) < 0)
        return -1;
    *ret = made;
    made = (struct tree)TREE_EMPTY;
    return 0;
}
