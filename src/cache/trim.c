/* Keeps the cache within its bound and removes what killed processes left. */
#include "cache/internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

enum { PARTIAL_MAX_AGE_S = 7 * 24 * 3600, ENTRIES_MAX = 1 << 20 };

struct candidate {
    char kind[CACHE_KIND_CAP];
    char *key;
    uint64_t bytes; /* allocated, with its meta file */
    int64_t used_s, used_ns;
};

struct candidates {
    struct candidate *items;
    size_t count, capacity;
    uint64_t bytes;
};

static void candidates_free(struct candidates *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].key);
    free(list->items);
}

void cache_sweep_temps(struct cache *cache)
{
    cleanup_dir DIR *dir = cache_open_dir(cache, CACHE_PARTIAL);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (strncmp(e->d_name, CACHE_TEMP_PREFIX, strlen(CACHE_TEMP_PREFIX)) != 0)
            continue;
        cleanup_close int fd = openat(dirfd(dir), e->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            unlinkat(dirfd(dir), e->d_name, 0);
    }
}

static uint64_t allocated(const struct stat *st)
{
    return (uint64_t)st->st_blocks * 512;
}

static int add_candidate(struct candidates *list, const char *kind, const char *key,
                         const struct stat *content, const struct stat *note, struct err *err)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 256;
        struct candidate *more =
            capacity > ENTRIES_MAX ? NULL : reallocarray(list->items, capacity, sizeof *more);
        if (!more)
            return err_oom(err);
        list->items = more;
        list->capacity = capacity;
    }
    struct candidate *item = &list->items[list->count];
    *item = (struct candidate){.bytes = allocated(content) + allocated(note),
                               .used_s = note->st_mtim.tv_sec,
                               .used_ns = note->st_mtim.tv_nsec};
    snprintf(item->kind, sizeof item->kind, "%.*s", CACHE_KIND_CAP - 1, kind);
    if (!(item->key = strdup(key)))
        return err_oom(err);
    list->count++;
    list->bytes += item->bytes;
    return 0;
}

/* Removes an entry unless it is being made or read. Returns whether it did. */
static bool evict(struct cache *cache, const char *kind, const char *key)
{
    struct err ignored;
    char rel[CACHE_REL_CAP];
    int lock = -1;
    if (cache_rel(kind, key, "", rel, &ignored) < 0 ||
        cache_try_lock(cache, kind, key, &lock, &ignored) < 0 || lock < 0)
        return false;
    cleanup_close int fd = openat(cache->fd, rel, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool unused = fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (unused)
        cache_remove(cache, kind, key);
    cache_unlock(cache, kind, key, &lock);
    return unused;
}

/* Removes a meta file without content, content without a meta file, or an unfinished meta file: unless the
 * key is locked, a killed process left them. Taking and releasing the lock also removes an abandoned lock
 * file. */
static void sweep_key(struct cache *cache, const char *kind, const char *key)
{
    struct err ignored;
    int lock = -1;
    if (cache_try_lock(cache, kind, key, &lock, &ignored) < 0 || lock < 0)
        return;
    char rel[CACHE_REL_CAP];
    struct cache_meta meta;
    struct stat st;
    bool whole = cache_rel(kind, key, "", rel, &ignored) == 0 &&
                 fstatat(cache->fd, rel, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                 (strcmp(kind, CACHE_PARTIAL) == 0 || cache_meta_read(cache, kind, key, &meta));
    if (!whole)
        cache_remove(cache, kind, key);
    else if (cache_rel(kind, key, ".meta~", rel, &ignored) == 0)
        unlinkat(cache->fd, rel, 0);
    cache_unlock(cache, kind, key, &lock);
}

/* True for "KEY.meta", "KEY.lock" and "KEY.meta~", whose KEY is copied; false for "KEY". *ret_transient is
 * set for files that exist only briefly. */
static bool side_file(const char *name, char key[static CACHE_KEY_CAP], bool *ret_transient)
{
    static const char *const suffixes[] = {".meta", ".lock", ".meta~"};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t n = strlen(suffixes[i]);
        if (len > n && len - n < CACHE_KEY_CAP && strcmp(name + len - n, suffixes[i]) == 0) {
            memcpy(key, name, len - n);
            key[len - n] = '\0';
            *ret_transient = i > 0;
            return true;
        }
    }
    return false;
}

static int list_one(struct cache *cache, DIR *dir, const char *kind, const char *name,
                    struct candidates *list, struct err *err)
{
    bool partial = strcmp(kind, CACHE_PARTIAL) == 0;
    char key[CACHE_KEY_CAP], meta[CACHE_REL_CAP];
    struct stat st, note;
    bool transient = false;
    if (side_file(name, key, &transient)) {
        if (cache_key_ok(key) && (transient || fstatat(dirfd(dir), key, &st, AT_SYMLINK_NOFOLLOW) < 0))
            sweep_key(cache, kind, key);
        return 0;
    }
    if (!cache_key_ok(name) || (partial && strncmp(name, CACHE_TEMP_PREFIX, strlen(CACHE_TEMP_PREFIX)) == 0))
        return 0;
    if (fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0; /* removed by another run */
    snprintf(meta, sizeof meta, "%s.meta", name);
    bool has_note = fstatat(dirfd(dir), meta, &note, AT_SYMLINK_NOFOLLOW) == 0;
    if (!has_note && !partial) {
        sweep_key(cache, kind, name);
        return 0;
    }
    if (partial) { /* its meta file is written first, so the content's mtime is the last use */
        note.st_mtim = st.st_mtim;
        note.st_blocks = has_note ? note.st_blocks : 0;
    }
    if (partial && st.st_mtim.tv_sec < time(NULL) - PARTIAL_MAX_AGE_S) {
        evict(cache, kind, name);
        return 0;
    }
    return add_candidate(list, kind, name, &st, &note, err);
}

static int list_kind(struct cache *cache, const char *kind, struct candidates *list, struct err *err)
{
    struct stat st;
    cleanup_dir DIR *dir = cache_open_dir(cache, kind);
    if (dir && fstat(dirfd(dir), &st) == 0)
        list->bytes += allocated(&st);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (list_one(cache, dir, kind, e->d_name, list, err) < 0)
            return -1;
    return 0;
}

static int by_last_use(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->used_s != y->used_s)
        return x->used_s < y->used_s ? -1 : 1;
    return (x->used_ns > y->used_ns) - (x->used_ns < y->used_ns);
}

static bool may_evict(const struct cache *cache, const struct candidate *item)
{
    const struct timespec *since = &cache->keep_since;
    return since->tv_sec == 0 || item->used_s < since->tv_sec ||
           (item->used_s == since->tv_sec && item->used_ns < since->tv_nsec);
}

int cache_trim(struct cache *cache, struct err *err)
{
    cleanup_close int lock = openat(cache->fd, "trim.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0 && (errno == EROFS || errno == EACCES || errno == EPERM))
        return 0; /* nothing can be removed from a read-only cache */
    if (lock < 0)
        return err_sys(err, errno, "lock %s/trim.lock", cache->dir);
    if (flock(lock, LOCK_EX | LOCK_NB) < 0)
        return 0; /* another run is trimming */
    cache_sweep_temps(cache);
    cleanup(candidates_free) struct candidates list = {0};
    struct stat st;
    cleanup_dir DIR *top = cache_open_dir(cache, ".");
    if (!top || fstat(dirfd(top), &st) < 0)
        return err_sys(err, errno, "read %s", cache->dir);
    list.bytes = allocated(&st);
    for (struct dirent *e; (e = readdir(top));)
        if (cache_kind_ok(e->d_name) && list_kind(cache, e->d_name, &list, err) < 0)
            return -1;
    if (cache->max_bytes == 0 || list.bytes <= cache->max_bytes || list.count == 0)
        return 0;
    qsort(list.items, list.count, sizeof *list.items, by_last_use);
    for (size_t i = 0; i < list.count && list.bytes > cache->max_bytes && may_evict(cache, &list.items[i]);
         i++)
        if (evict(cache, list.items[i].kind, list.items[i].key))
            list.bytes -= list.items[i].bytes;
    return 0;
}
