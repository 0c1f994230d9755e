#include "unpack/member/tree_builder.h"

#include <stdlib.h>
#include <string.h>

#include "text/utf8.h"
#include "unpack/member/member.h"

enum { OUTSIDE_MAX = 1000 };

void tree_builder_free(struct tree_builder *builder)
{
    links_free(&builder->names);
    free(builder->items);
    arena_free(&builder->arena);
}

static int add_item(struct tree_builder *builder, const struct tree_item *item, struct err *err)
{
    if (builder->count >= TREE_ENTRIES_MAX)
        return err_set(err, ERR_VERIFY, 0, "%s: more than %d files below \"%s\"", builder->name,
                       TREE_ENTRIES_MAX, builder->prefix);
    if (builder->count == builder->capacity) {
        size_t capacity = builder->capacity ? builder->capacity * 2 : 64;
        struct tree_item *grown = reallocarray(builder->items, capacity, sizeof *grown);
        if (!grown)
            return err_oom(err);
        builder->items = grown;
        builder->capacity = capacity;
    }
    struct tree_item *made = &builder->items[builder->count];
    *made = *item;
    made->order = builder->count++;
    made->path = arena_strdup(&builder->arena, item->path);
    made->target = item->target ? arena_strdup(&builder->arena, item->target) : NULL;
    made->hard = item->hard ? arena_strdup(&builder->arena, item->hard) : NULL;
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

/* Refuses names in Latin-1 and the like, but only below the prefix: manifests and contents lists need
 * UTF-8. */
static int other_charset(const struct tree_builder *builder, const struct reader_entry *entry,
                         struct err *err)
{
    const char *rest = NULL, *name = entry->name;
    while (name[0] == '/' || strncmp(name, "./", 2) == 0)
        name += name[0] == '/' ? 1 : 2;
    if (!member_below(name, builder->prefix, &rest))
        return 0;
    return err_set(err, ERR_VERIFY, 0,
                   "%s: its name \"%.200s\" is not UTF-8: rename the file and pack the archive again",
                   builder->name, entry->name);
}

/* Makes ENTRY's item for the tree. NAME is its name in normal form; HARD has PATH_CAP bytes for a hard link's
 * target. */
static int make_item(struct tree_builder *builder, struct reader *reader, const struct reader_entry *entry,
                     const char *name, char *hard, struct tree_item *item, struct err *err)
{
    switch (entry->type) {
    case ENTRY_DIR:
        item->type = MEMBER_DIR;
        return 0;
    case ENTRY_SYMLINK:
        item->type = MEMBER_SYMLINK;
        item->target = entry->target;
        if (!target_ok(entry->target))
            return err_set(err, ERR_VERIFY, 0, "%s: \"%s\" is a link whose target cannot be used",
                           builder->name, name);
        return 0;
    case ENTRY_FILE:
        item->type = MEMBER_FILE;
        if (builder->writer->at > CONTENT_MAX)
            return err_set(err, ERR_VERIFY, 0, "%s: its files are more than %llu bytes", builder->name,
                           (unsigned long long)CONTENT_MAX);
        if (content_copy(reader, entry->size, &builder->writer, 1, &item->content, name, err) < 0)
            return err_wrap(err, "%s", builder->name);
        return 0;
    case ENTRY_HARDLINK:
        item->type = MEMBER_FILE;
        item->hard = hard;
        if (!member_name(entry->target, hard))
            return err_set(err, ERR_VERIFY, 0, "%s: \"%s\" is a hard link that leads out of the archive",
                           builder->name, name);
        return 0;
    case ENTRY_OTHER:
        break;
    }
    return err_set(err, ERR_VERIFY, 0, "%s: \"%s\" is a device, FIFO or socket", builder->name, name);
}

static int add_entry(struct tree_builder *builder, struct reader *reader, const struct reader_entry *entry,
                     struct err *err)
{
    char name[PATH_CAP], hard[PATH_CAP];
    const char *rest = NULL;
    if (!utf8_ok(entry->name, strlen(entry->name)))
        return other_charset(builder, entry, err);
    if (!member_name(entry->name, name))
        return err_set(err, ERR_VERIFY, 0, "%s: it contains the hostile or unreadable name \"%.200s\"",
                       builder->name, entry->name);
    if (entry->type == ENTRY_FILE)
        links_note(&builder->names, name);
    if (!member_below(name, builder->prefix, &rest))
        return 0;
    struct tree_item item = {.path = rest, .meta = entry->meta};
    return make_item(builder, reader, entry, name, hard, &item, err) < 0 ? -1 : add_item(builder, &item, err);
}

static int by_path(const void *a, const void *b)
{
    const struct tree_item *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static struct tree_item *find_item(const struct tree_builder *builder, size_t count, const char *path)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(builder->items[mid].path, path);
        if (order == 0)
            return &builder->items[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* Refuses duplicate paths, except those of folders, where the last one counts. */
static int merge_duplicates(struct tree_builder *builder, struct err *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < builder->count; i++) {
        struct tree_item *item = &builder->items[i];
        struct tree_item *last = kept > 0 ? &builder->items[kept - 1] : NULL;
        if (!last || strcmp(last->path, item->path) != 0)
            builder->items[kept++] = *item;
        else if (last->type == MEMBER_DIR && item->type == MEMBER_DIR)
            *last = *item;
        else
            return err_set(err, ERR_VERIFY, 0, "%s: \"%s\" below \"%s\" occurs twice", builder->name,
                           item->path, builder->prefix);
    }
    builder->count = kept;
    return 0;
}

/* Adds missing parents and refuses those that are not folders: nothing can be written through a link. */
static int add_parents(struct tree_builder *builder, struct err *err)
{
    size_t named = builder->count;
    for (size_t i = 0; i < named; i++) {
        char path[PATH_CAP];
        const char *rest = NULL;
        snprintf(path, sizeof path, "%s", builder->items[i].path);
        for (char *slash = strrchr(path, '/'); slash; slash = strrchr(path, '/')) {
            *slash = '\0';
            if (i > 0 && member_below(builder->items[i - 1].path, path, &rest))
                break; /* added for the item before */
            const struct tree_item *parent = find_item(builder, named, path);
            if (parent && parent->type != MEMBER_DIR)
                return err_set(err, ERR_VERIFY, 0, "%s: \"%s\" lies below \"%s\", which is not a folder",
                               builder->name, builder->items[i].path, path);
            const struct tree_item implied = {.path = path, .type = MEMBER_DIR, .meta.mode = 0755};
            if (parent)
                break; /* its own parents are added in its turn */
            if (add_item(builder, &implied, err) < 0)
                return -1;
        }
    }
    qsort(builder->items, builder->count, sizeof *builder->items, by_path);
    return 0;
}

static bool is_outside(const struct tree_builder *builder, const struct tree_item *item)
{
    const char *rest = NULL;
    return item->hard && !member_below(item->hard, builder->prefix, &rest);
}

/* Copies the file NAME, outside the prefix, for the hard links from below the prefix that lead there. */
static int copy_outside(struct tree_builder *builder, struct tree_item *const *links, size_t count,
                        struct reader *reader, const struct reader_entry *entry, const char *name,
                        struct err *err)
{
    const struct tree_item *first = NULL;
    for (size_t i = 0; i < count; i++) {
        struct tree_item *item = links[i];
        if (!item->hard || strcmp(item->hard, name) != 0)
            continue;
        if (!first && content_copy(reader, entry->size, &builder->writer, 1, &item->content, name, err) < 0)
            return err_wrap(err, "%s", builder->name);
        if (first)
            item->content = first->content;
        first = item;
        item->meta = entry->meta;
        item->hard = NULL;
    }
    return 0;
}

/* A second pass, for hard links to files outside the prefix. */
static int find_outside(const struct trusted *artifact, const struct run *run, struct tree_builder *builder,
                        struct err *err)
{
    struct tree_item *links[OUTSIDE_MAX];
    size_t count = 0;
    for (size_t i = 0; i < builder->count; i++) {
        if (!is_outside(builder, &builder->items[i]))
            continue;
        if (count == OUTSIDE_MAX)
            return err_set(err, ERR_VERIFY, 0, "%s: more than %d hard links lead out of \"%s\"",
                           builder->name, OUTSIDE_MAX, builder->prefix);
        links[count++] = &builder->items[i];
    }
    if (count == 0)
        return 0;
    cleanup_reader struct reader *reader = NULL;
    const struct reader_input input = reader_input_of(artifact);
    if (reader_open(&input, ARCHIVE_MAX, run, &reader, err) < 0)
        return -1;
    struct reader_entry entry;
    char name[PATH_CAP];
    int r;
    while ((r = reader_next(reader, &entry, err)) > 0)
        if (entry.type == ENTRY_FILE && member_name(entry.name, name) &&
            copy_outside(builder, links, count, reader, &entry, name, err) < 0)
            return -1;
    return r;
}

static int resolve_hard(struct tree_builder *builder, struct err *err)
{
    for (size_t i = 0; i < builder->count; i++) {
        struct tree_item *item = &builder->items[i];
        const struct tree_item *target = item;
        if (!item->hard)
            continue;
        for (unsigned deep = 0; target && target->hard; deep++) {
            const char *rest = NULL;
            bool below = deep < LINKS_DEEP && member_below(target->hard, builder->prefix, &rest);
            target = below ? find_item(builder, builder->count, rest) : NULL;
        }
        if (!target || target->type == MEMBER_DIR)
            return err_set(err, ERR_VERIFY, 0,
                           "%s: \"%s\" is a hard link to \"%s\", which is not a file of the archive",
                           builder->name, item->path, item->hard);
        item->type = target->type;
        item->target = target->target;
        item->meta = target->meta;
        item->content = target->content;
    }
    return 0;
}

/* Reads all entries of the archive; those below the prefix become items. */
static int read_entries(const struct trusted *artifact, const struct run *run, struct tree_builder *builder,
                        struct err *err)
{
    cleanup_reader struct reader *reader = NULL;
    const struct reader_input input = reader_input_of(artifact);
    if (reader_open(&input, ARCHIVE_MAX, run, &reader, err) < 0)
        return -1;
    char words[READER_WORDS];
    if (reader_kind(reader) == READER_BARE)
        return err_set(err, ERR_VERIFY, 0, "%s: not an archive that bake reads (tar, zip, deb)%s",
                       builder->name, reader_words(reader, words));
    struct reader_entry entry;
    int r;
    while ((r = reader_next(reader, &entry, err)) > 0)
        if (add_entry(builder, reader, &entry, err) < 0)
            return -1;
    return r;
}

int tree_builder_run(struct tree_builder *builder, const struct trusted *artifact, const struct run *run,
                     struct err *err)
{
    if (read_entries(artifact, run, builder, err) < 0)
        return -1;
    if (builder->count == 0) {
        char near[512];
        links_near(&builder->names, builder->prefix, near, sizeof near);
        return err_set(err, ERR_VERIFY, 0, "%s: it has nothing below \"%s\"%s", builder->name,
                       builder->prefix, near);
    }
    qsort(builder->items, builder->count, sizeof *builder->items, by_path);
    if (merge_duplicates(builder, err) < 0 || add_parents(builder, err) < 0 ||
        find_outside(artifact, run, builder, err) < 0)
        return -1;
    return resolve_hard(builder, err);
}
