/* An entry's file, and whether its content is still what entered. */
#include "cache/internal.h"

#include <fcntl.h>
#include <sys/file.h>

#include "io/file.h"

/* Opens the content and marks it as in use. *ret_fd is -1 when it does not exist. */
static int open_content(struct cache *cache, const char *kind, const char *key, int *ret_fd, struct stat *st,
                        struct err *err)
{
    char rel[CACHE_REL_CAP];
    if (cache_rel(kind, key, "", rel, err) < 0)
        return -1;
    cleanup_close int fd = openat(cache->fd, rel, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        *ret_fd = -1;
        return 0;
    }
    if (fd < 0)
        return err_sys(err, errno, "open %s/%s", cache->dir, rel);
    /* A short wait: only trimming locks it exclusively, to remove the name. On a file system without locks,
     * trimming may remove a file in use, but open descriptors stay valid. */
    while (flock(fd, LOCK_SH) < 0 && errno == EINTR)
        ;
    if (fstat(fd, st) < 0)
        return err_sys(err, errno, "stat %s/%s", cache->dir, rel);
    if (!S_ISREG(st->st_mode))
        return err_set(err, ERR_IO, 0, "%s/%s is not a regular file: remove it", cache->dir, rel);
    *ret_fd = st->st_nlink == 0 ? -1 : steal_fd(&fd);
    return 0;
}

int cache_look(struct cache *cache, const char *kind, const char *key, bool hash, enum cache_state *ret,
               int *ret_fd, struct sha256 *ret_sha256, const struct run *run, struct err *err)
{
    cleanup_close int fd = -1;
    struct stat st;
    struct cache_meta meta;
    if (open_content(cache, kind, key, &fd, &st, err) < 0)
        return -1;
    if (fd < 0) {
        *ret = CACHE_NONE;
        return 0;
    }
    bool good = cache_meta_read(cache, kind, key, &meta) && meta.size == (uint64_t)st.st_size;
    if (good && !hash)
        good = cache_meta_same(&meta, &st);
    else if (good) {
        struct sha256 now;
        if (file_sha256(fd, 0, meta.size, run, &now, err) < 0)
            return -1;
        good = sha256_equal(&now, &meta.sha256);
    }
    *ret = good ? CACHE_WHOLE : CACHE_DOUBTED;
    if (good) {
        *ret_fd = steal_fd(&fd);
        *ret_sha256 = meta.sha256;
    }
    return 0;
}

/* The meta file's mtime records the last use. A failure does not matter: a read-only cache is never
 * trimmed. */
void cache_mark_used(struct cache *cache, const char *kind, const char *key)
{
    char rel[CACHE_REL_CAP];
    struct err ignored;
    if (cache_rel(kind, key, ".meta", rel, &ignored) == 0)
        utimensat(cache->fd, rel, NULL, AT_SYMLINK_NOFOLLOW);
}

void cache_remove(struct cache *cache, const char *kind, const char *key)
{
    static const char *const suffixes[] = {".meta", "", ".meta~"};
    struct err ignored;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char rel[CACHE_REL_CAP];
        if (cache_rel(kind, key, suffixes[i], rel, &ignored) == 0)
            unlinkat(cache->fd, rel, 0);
    }
}

int cache_settle(struct cache *cache, const char *kind, const char *key, int *ret_fd,
                 struct sha256 *ret_sha256, const struct run *run, struct err *err)
{
    enum cache_state state;
    cleanup_close int fd = -1;
    if (cache_look(cache, kind, key, cache->recheck, &state, &fd, ret_sha256, run, err) < 0)
        return -1;
    if (state == CACHE_DOUBTED && !cache->recheck) {
        if (cache_look(cache, kind, key, true, &state, &fd, ret_sha256, run, err) < 0)
            return -1;
        struct stat st;
        struct cache_meta meta;
        if (state == CACHE_WHOLE) {
            if (fstat(fd, &st) < 0)
                return err_sys(err, errno, "stat a cache entry");
            cache_meta_of(&st, ret_sha256, &meta);
            if (cache_meta_write(cache, kind, key, &meta, err) < 0)
                return -1;
        }
    }
    if (state == CACHE_DOUBTED) {
        struct cache_meta meta;
        if (cache_meta_read(cache, kind, key, &meta)) /* else a killed process left it */
            run_warn(run, "cache", "%s %.16s was changed since it was stored and is dropped", kind, key);
        cache_remove(cache, kind, key);
    }
    *ret_fd = steal_fd(&fd);
    return 0;
}
