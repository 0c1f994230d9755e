#include "unpack/member/member.h"

#include <fcntl.h>
#include <string.h>

#include "unpack/member/content.h"
#include "unpack/member/links.h"

static const char kind[] = "member";

/* One wanted file. The caller's list may name the same file several times. */
struct want {
    const char *path;    /* normal */
    char real[PATH_CAP]; /* with links followed */
    char key[SHA256_HEX];
    bool optional;
    int fd; /* the finished cache entry */
    struct cache_entry entry;
    struct bundle_writer writer;
    bool written;
    struct file_meta meta;
    struct bundle_piece content;
};

struct wants {
    struct arena arena;
    struct want *items;
    size_t count;
};

static void wants_free(struct wants *wants)
{
    for (size_t i = 0; i < wants->count; i++) {
        cleanup_close_fn(&wants->items[i].fd);
        bundle_free(&wants->items[i].writer);
        cache_abort(&wants->items[i].entry);
    }
    free(wants->items);
    arena_free(&wants->arena);
    *wants = (struct wants){0};
}

static const char *name_of(const struct trusted *artifact)
{
    return artifact->origin ? artifact->origin : "the input";
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct want *)a)->key, ((const struct want *)b)->key);
}

/* An optional file may be in the cache as an empty one, which another recipe must not get. */
static int want_key(const struct trusted *artifact, struct want *want, struct err *err)
{
    char text[PATH_CAP + 2];
    snprintf(text, sizeof text, "%s%s", want->optional ? "//" : "", want->path);
    return content_key(artifact, text, want->key, err);
}

/* Sorts by key and drops duplicates: all processes lock cache entries in this order, which prevents
 * deadlocks. */
static int make_wants(const struct trusted *artifact, const char *const *paths, size_t count, size_t optional,
                      struct wants *wants, struct err *err)
{
    if (count > MEMBERS_MAX)
        return err_set(err, ERR_RECIPE, 0, "%zu members of one archive: at most %d are allowed", count,
                       MEMBERS_MAX);
    wants->items = calloc(count + 1, sizeof *wants->items);
    if (!wants->items)
        return err_oom(err);
    for (size_t i = 0; i < count; i++) {
        struct want *want = &wants->items[wants->count++];
        want->fd = -1;
        want->entry = (struct cache_entry)CACHE_ENTRY_EMPTY;
        if (!member_name(paths[i], want->real) || want->real[0] == '\0')
            return err_set(err, ERR_RECIPE, 0, "\"%.200s\" is not the name of a member of an archive",
                           paths[i]);
        want->path = arena_strdup(&wants->arena, want->real);
        if (!want->path)
            return err_oom(err);
        want->optional = i >= count - optional;
        if (want_key(artifact, want, err) < 0)
            return -1;
    }
    qsort(wants->items, wants->count, sizeof *wants->items, by_key);
    size_t kept = 0;
    for (size_t i = 0; i < wants->count; i++)
        if (kept == 0 || strcmp(wants->items[kept - 1].key, wants->items[i].key) != 0)
            wants->items[kept++] = wants->items[i];
    wants->count = kept;
    return 0;
}

/* Opens what the cache has and begins entries for the rest. */
static int look_up(struct wants *wants, struct cache *cache, bool *ret_all, const struct run *run,
                   struct err *err)
{
    *ret_all = true;
    for (size_t i = 0; i < wants->count; i++) {
        struct want *want = &wants->items[i];
        if (cache_find(cache, kind, want->key, &want->fd, NULL, run, err) < 0)
            return -1;
        if (want->fd >= 0)
            continue;
        if (cache_begin(cache, kind, want->key, &want->entry, run, err) < 0)
            return -1;
        if (want->entry.found_fd >= 0) {
            want->fd = steal_fd(&want->entry.found_fd);
            continue;
        }
        if (bundle_begin(&want->writer, want->entry.fd, err) < 0)
            return -1;
        *ret_all = false;
    }
    return 0;
}

/* Copies the entry's data to every want that has its name. */
static int copy_entry(struct reader *reader, const struct reader_entry *entry, const char *name,
                      struct wants *wants, const struct trusted *artifact, struct err *err)
{
    struct bundle_writer *writers[MEMBERS_MAX];
    struct want *writing[MEMBERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < wants->count; i++) {
        struct want *want = &wants->items[i];
        if (want->fd >= 0 || strcmp(want->real, name) != 0)
            continue;
        if (want->written)
            return err_set(err, ERR_VERIFY, 0, "%s: \"%s\" occurs twice", name_of(artifact), name);
        writing[count] = want;
        writers[count++] = &want->writer;
    }
    if (count == 0)
        return 0;
    struct bundle_piece content;
    if (content_copy(reader, entry->size, writers, count, &content, name, err) < 0)
        return err_wrap(err, "%s", name_of(artifact));
    for (size_t i = 0; i < count; i++) {
        writing[i]->content = content;
        writing[i]->meta = entry->meta;
        writing[i]->written = true;
    }
    return 0;
}

static int read_archive(const struct trusted *artifact, struct wants *wants, struct links *links,
                        const struct run *run, struct err *err)
{
    cleanup_reader struct reader *reader = NULL;
    const struct reader_input input = reader_input_of(artifact);
    if (reader_open(&input, ARCHIVE_MAX, run, &reader, err) < 0)
        return -1;
    char words[READER_WORDS];
    if (reader_kind(reader) == READER_BARE)
        return err_set(err, ERR_VERIFY, 0, "%s: not an archive that bake reads (tar, zip, deb)%s",
                       name_of(artifact), reader_words(reader, words));
    struct reader_entry entry;
    char name[PATH_CAP], target[PATH_CAP];
    int r;
    while ((r = reader_next(reader, &entry, err)) > 0) {
        if (!member_name(entry.name, name)) /* cannot be wanted */
            continue;
        if (entry.type == ENTRY_FILE) {
            if (links)
                links_note(links, name);
            if (copy_entry(reader, &entry, name, wants, artifact, err) < 0)
                return -1;
        }
        if (!links || (entry.type != ENTRY_SYMLINK && entry.type != ENTRY_HARDLINK))
            continue;
        bool hard = entry.type == ENTRY_HARDLINK;
        if (hard && !member_name(entry.target, target))
            continue;
        if (links_add(links, name, hard ? target : entry.target, hard, err) < 0)
            return err_wrap(err, "%s", name_of(artifact));
    }
    return r;
}

/* Makes a second pass for wanted files that are links to another name. */
static int follow_links(const struct trusted *artifact, struct wants *wants, struct links *links,
                        const struct run *run, struct err *err)
{
    bool more = false;
    for (size_t i = 0; i < wants->count; i++) {
        struct want *want = &wants->items[i];
        if (want->fd >= 0)
            continue;
        if (want->written) { /* done: no name may match again */
            want->real[0] = '\0';
            continue;
        }
        if (links_resolve(links, want->path, want->real, err) < 0)
            return err_wrap(err, "%s", name_of(artifact));
        more |= strcmp(want->real, want->path) != 0;
    }
    return more ? read_archive(artifact, wants, NULL, run, err) : 0;
}

static int missing(const struct trusted *artifact, const struct want *want, const struct links *links,
                   struct err *err)
{
    char near[512], via[PATH_CAP + 32] = "";
    links_near(links, want->path, near, sizeof near);
    if (strcmp(want->real, want->path) != 0)
        snprintf(via, sizeof via, " (a link to \"%.1000s\")", want->real);
    return err_set(err, ERR_VERIFY, 0, "%s: it has no file \"%.1000s\"%s%s", name_of(artifact), want->path,
                   via, near);
}

static int extract(const struct trusted *artifact, struct wants *wants, const struct run *run,
                   struct err *err)
{
    cleanup_links struct links links = {0};
    if (read_archive(artifact, wants, &links, run, err) < 0 ||
        follow_links(artifact, wants, &links, run, err) < 0)
        return -1;
    for (size_t i = 0; i < wants->count; i++) {
        struct want *want = &wants->items[i];
        if (want->fd < 0 && !want->written && !want->optional)
            return missing(artifact, want, &links, err);
    }
    for (size_t i = 0; i < wants->count; i++) {
        struct want *want = &wants->items[i];
        struct sha256 sha256;
        if (want->fd >= 0)
            continue;
        content_put_meta(&want->writer, &want->meta);
        content_put(&want->writer, &want->content);
        if (bundle_end(&want->writer, &sha256, err) < 0 ||
            cache_commit(&want->entry, &sha256, &want->fd, err) < 0)
            return -1;
    }
    return 0;
}

static int open_member(const struct want *want, struct member *ret, struct err *err)
{
    cleanup_member struct member made = MEMBER_EMPTY;
    cleanup_bundle_index struct bundle_index index = {0};
    made.fd = fcntl(want->fd, F_DUPFD_CLOEXEC, 0);
    if (made.fd < 0)
        return err_sys(err, errno, "duplicate a descriptor");
    struct file_identity identity;
    if (file_identify(made.fd, &identity, err) < 0 || bundle_read(made.fd, &index, err) < 0)
        return -1;
    made.has_meta = true;
    content_get_meta(&index, &made.meta);
    content_get(&index, made.fd, &made.blob);
    made.blob.identity = identity;
    if (bundle_read_end(&index, err) < 0)
        return -1;
    *ret = made;
    made = (struct member)MEMBER_EMPTY;
    return 0;
}

static int open_members(const struct wants *wants, const char *const *paths, size_t count, size_t optional,
                        struct member *made, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        char name[PATH_CAP];
        if (!member_name(paths[i], name))
            return err_set(err, ERR_INTERNAL, 0, "a member's name changed");
        for (size_t k = 0; k < wants->count; k++)
            if (strcmp(wants->items[k].path, name) == 0 &&
                wants->items[k].optional == (i >= count - optional) &&
                open_member(&wants->items[k], &made[i], err) < 0)
                return -1;
    }
    return 0;
}

int unpack_members(const struct trusted *artifact, const char *const *paths, size_t count, size_t optional,
                   struct cache *cache, const struct run *run, struct member *ret, struct err *err)
{
    cleanup(wants_free) struct wants wants = {0};
    bool all = false;
    if (make_wants(artifact, paths, count, optional, &wants, err) < 0 ||
        look_up(&wants, cache, &all, run, err) < 0)
        return -1;
    if (!all && extract(artifact, &wants, run, err) < 0)
        return -1;
    cleanup_free struct member *made = calloc(count + 1, sizeof *made);
    if (!made)
        return err_oom(err);
    for (size_t i = 0; i < count; i++)
        made[i] = (struct member)MEMBER_EMPTY;
    if (open_members(&wants, paths, count, optional, made, err) < 0) {
        for (size_t i = 0; i < count; i++)
            member_free(&made[i]);
        return -1;
    }
    memcpy(ret, made, count * sizeof *made);
    return 0;
}

int unpack_whole(const struct trusted *artifact, struct member *ret, struct err *err)
{
    int fd = fcntl(artifact->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(err, errno, "duplicate a descriptor");
    *ret = (struct member){
        .fd = fd,
        .blob = {
            .fd = fd, .size = artifact->size, .sha256 = artifact->sha256, .identity = artifact->identity}};
    return 0;
}
