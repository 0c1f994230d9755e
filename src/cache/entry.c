/* struct cache_entry: making an entry, from taking its key's lock to giving it its name. */
#include "cache/internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "io/file.h"

/* The writer of a named temporary file locks it, so that the sweep can tell it from an abandoned one. */
static int open_named(struct cache_entry *entry, struct err *err)
{
    struct cache *cache = entry->cache;
    if (cache_make_kind(cache, CACHE_PARTIAL, err) < 0)
        return -1;
    for (;;) {
        char *path = NULL;
        if (asprintf(&path, "%s/" CACHE_PARTIAL "/" CACHE_TEMP_PREFIX "XXXXXX", cache->dir) < 0)
            return err_oom(err);
        int fd = mkostemp(path, O_CLOEXEC);
        if (fd < 0) {
            err_sys(err, errno, "make a file in %s/" CACHE_PARTIAL, cache->dir);
            free(path);
            return -1;
        }
        entry->fd = fd;
        entry->temp = strdup(path + strlen(cache->dir) + 1);
        struct stat st;
        bool named =
            entry->temp && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0;
        free(path);
        if (!entry->temp)
            return err_oom(err);
        if (named)
            return 0;
        close(steal_fd(&entry->fd)); /* a sweep removed it before it was locked: try again */
        free(steal_ptr(entry->temp));
    }
}

static int open_new(struct cache_entry *entry, struct err *err)
{
    struct cache *cache = entry->cache;
    if (!cache->named_temps) {
        entry->fd = openat(cache->fd, entry->kind, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (entry->fd >= 0)
            return 0;
    }
    return open_named(entry, err);
}

static int begin(struct cache_entry *entry, const char *kind, const char *key, bool anew,
                 const struct run *run, struct err *err)
{
    struct cache *cache = entry->cache;
    entry->kind = strdup(kind);
    entry->key = strdup(key);
    if (!entry->kind || !entry->key)
        return err_oom(err);
    if (cache_lock(cache, kind, key, &entry->lock_fd, run, err) < 0)
        return -1;
    if (!anew && cache_settle(cache, kind, key, &entry->found_fd, &entry->found_sha256, run, err) < 0)
        return -1;
    if (entry->found_fd < 0)
        return open_new(entry, err);
    cache_mark_used(cache, kind, key);
    cache_unlock(cache, kind, key, &entry->lock_fd);
    return 0;
}

static int begin_into(struct cache *cache, const char *kind, const char *key, bool anew,
                      struct cache_entry *entry, const struct run *run, struct err *err)
{
    struct cache_entry made = CACHE_ENTRY_EMPTY;
    made.cache = cache;
    if (begin(&made, kind, key, anew, run, err) < 0) {
        cache_abort(&made);
        return -1;
    }
    *entry = made;
    return 0;
}

int cache_begin(struct cache *cache, const char *kind, const char *key, struct cache_entry *entry,
                const struct run *run, struct err *err)
{
    return begin_into(cache, kind, key, false, entry, run, err);
}

int cache_begin_anew(struct cache *cache, const char *kind, const char *key, struct cache_entry *entry,
                     const struct run *run, struct err *err)
{
    return begin_into(cache, kind, key, true, entry, run, err);
}

static void drop_content(struct cache_entry *entry)
{
    cleanup_close_fn(&entry->fd);
    entry->fd = -1;
    if (entry->temp)
        unlinkat(entry->cache->fd, entry->temp, 0);
    free(steal_ptr(entry->temp));
}

int cache_adopt(struct cache_entry *entry, int fd, const char *path, struct err *err)
{
    if (entry->fd < 0)
        return err_set(err, ERR_INTERNAL, 0, "cache entry %s is not being made", entry->key);
    char *temp = strdup(path);
    if (!temp)
        return err_oom(err);
    drop_content(entry);
    entry->fd = fd;
    entry->temp = temp;
    return 0;
}

/* Gives the content its name. Removes the old content's meta file first, so that it is never taken for the
 * new content's. */
static int link_content(struct cache_entry *entry, const char *rel, struct err *err)
{
    struct cache *cache = entry->cache;
    cache_remove(cache, entry->kind, entry->key);
    if (entry->temp) {
        if (renameat(cache->fd, entry->temp, cache->fd, rel) < 0)
            return err_sys(err, errno, "name %s/%s", cache->dir, rel);
        free(steal_ptr(entry->temp));
        flock(entry->fd, LOCK_UN); /* else readers would wait for their shared lock */
        return 0;
    }
    char from[32];
    snprintf(from, sizeof from, "/proc/self/fd/%d", entry->fd);
    if (linkat(AT_FDCWD, from, cache->fd, rel, AT_SYMLINK_FOLLOW) < 0)
        return err_sys(err, errno, "name %s/%s", cache->dir, rel);
    return 0;
}

static int commit(struct cache_entry *entry, const struct sha256 *sha256, bool sync, int *ret_fd,
                  struct err *err)
{
    struct cache *cache = entry->cache;
    char rel[CACHE_REL_CAP];
    if (entry->fd < 0)
        return err_set(err, ERR_INTERNAL, 0, "cache entry %s is not being made", entry->key);
    if (cache_rel(entry->kind, entry->key, "", rel, err) < 0)
        return -1;
    if (fchmod(entry->fd, 0400) < 0 || (sync && fsync(entry->fd) < 0))
        return err_sys(err, errno, "store %s/%s", cache->dir, rel);
    if (link_content(entry, rel, err) < 0)
        return -1;
    /* Taking the name changed the ctime: only now is the identity final. A process killed before this point
     * leaves content without a meta file, which does not count as an entry. */
    struct stat st;
    struct cache_meta meta;
    cleanup_close int fd = openat(cache->fd, rel, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "open %s/%s", cache->dir, rel);
    while (flock(fd, LOCK_SH) < 0 && errno == EINTR)
        ;
    cache_meta_of(&st, sha256, &meta);
    if (cache_meta_write(cache, entry->kind, entry->key, &meta, err) < 0) {
        cache_remove(cache, entry->kind, entry->key);
        return -1;
    }
    *ret_fd = steal_fd(&fd);
    cache_abort(entry);
    return 0;
}

int cache_commit(struct cache_entry *entry, const struct sha256 *sha256, int *ret_fd, struct err *err)
{
    return commit(entry, sha256, true, ret_fd, err);
}

int cache_commit_unsynced(struct cache_entry *entry, const struct sha256 *sha256, int *ret_fd,
                          struct err *err)
{
    return commit(entry, sha256, false, ret_fd, err);
}

void cache_abort(struct cache_entry *entry)
{
    int saved = errno;
    if (entry->cache)
        drop_content(entry);
    cleanup_close_fn(&entry->found_fd);
    if (entry->lock_fd >= 0)
        cache_unlock(entry->cache, entry->kind, entry->key, &entry->lock_fd);
    free(entry->kind);
    free(entry->key);
    *entry = (struct cache_entry)CACHE_ENTRY_EMPTY;
    errno = saved;
}
