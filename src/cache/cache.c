#include "cache/internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>

#include "io/file.h"

static bool name_ok(const char *name, size_t cap, const char *extra)
{
    size_t len = strnlen(name, cap);
    if (len == 0 || len >= cap || name[0] == '.')
        return false;
    for (const char *c = name; *c; c++)
        if (!((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || strchr(extra, *c)))
            return false;
    return true;
}

static bool ends_with(const char *s, const char *suffix)
{
    size_t len = strlen(s), n = strlen(suffix);
    return len >= n && strcmp(s + len - n, suffix) == 0;
}

bool cache_kind_ok(const char *kind)
{
    return name_ok(kind, CACHE_KIND_CAP, "_-");
}

bool cache_key_ok(const char *key)
{
    return name_ok(key, CACHE_KEY_CAP, "._-") && !ends_with(key, ".meta") && !ends_with(key, ".lock");
}

int cache_rel(const char *kind, const char *key, const char *suffix, char out[static CACHE_REL_CAP],
              struct err *err)
{
    if (!cache_kind_ok(kind) || !cache_key_ok(key))
        return err_set(err, ERR_INTERNAL, 0, "\"%.40s/%.80s\" is not a name for a cache entry", kind, key);
    snprintf(out, CACHE_REL_CAP, "%s/%s%s", kind, key, suffix);
    return 0;
}

int cache_make_kind(struct cache *cache, const char *kind, struct err *err)
{
    if (mkdirat(cache->fd, kind, 0700) < 0 && errno != EEXIST)
        return err_sys(err, errno, "make folder %s/%s (--cache-dir names another cache)", cache->dir, kind);
    return 0;
}

/* Whoever else may write into the cache could swap a verified file for another one. */
static int check_owner(const char *dir, int fd, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "stat %s", dir);
    if (st.st_uid != geteuid())
        return err_set(err, ERR_IO, 0,
                       "cache %s belongs to user %u, but this is user %u: name another one with --cache-dir",
                       dir, st.st_uid, geteuid());
    if (st.st_mode & 077)
        return err_set(
            err, ERR_IO, 0,
            "cache %s can be reached by other users (mode %04o): chmod 700 it if they never could "
            "write to it, else remove it; if its file system has no modes (FAT), name a folder on another "
            "one with --cache-dir",
            dir, st.st_mode & 07777);
    return 0;
}

/* A bound that the file system could never reach is none. */
static uint64_t bound_of(const struct cache_options *options, int fd)
{
    struct statvfs fs;
    if (!options->at_most_half || fstatvfs(fd, &fs) < 0)
        return options->max_bytes;
    uint64_t half = (uint64_t)fs.f_blocks * fs.f_frsize / 2;
    return half > 0 && half < options->max_bytes ? half : options->max_bytes;
}

int cache_open(const struct cache_options *options, struct cache **ret, struct err *err)
{
    const char *dir = options->dir;
    if (dir[0] != '/')
        return err_set(err, ERR_USAGE, 0, "cache folder \"%.200s\" must be an absolute path", dir);
    if (file_mkdirs(dir, 0700, err) < 0)
        return err_wrap(err, "cache (--cache-dir or XDG_CACHE_HOME names another)");
    cleanup_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "open cache %s", dir);
    if (check_owner(dir, fd, err) < 0)
        return -1;
    struct cache *cache = calloc(1, sizeof *cache);
    if (!cache || !(cache->dir = strdup(dir))) {
        free(cache);
        return err_oom(err);
    }
    cache->fd = steal_fd(&fd);
    cache->max_bytes = bound_of(options, cache->fd);
    cache->keep_since = options->keep_since;
    cache->recheck = options->recheck;
    cache->named_temps = access("/proc/self/fd", X_OK) < 0;
    cache_sweep_temps(cache);
    *ret = cache;
    return 0;
}

void cache_close(struct cache *cache)
{
    if (!cache)
        return;
    struct err ignored;
    if (cache_trim(cache, &ignored) < 0) {
        /* the next run trims; what this one was asked for is done */
    }
    close(cache->fd);
    free(cache->dir);
    free(cache);
}

const char *cache_dir(const struct cache *cache)
{
    return cache->dir;
}

int cache_dir_fd(const struct cache *cache)
{
    return cache->fd;
}

bool cache_rechecks(const struct cache *cache)
{
    return cache->recheck;
}

/* Opens the content and marks it as in use. -1 in *ret_fd when there is none. */
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
    /* only trimming holds it exclusively, and only to remove the name: a short wait. A file system without
     * locks gives no protection from trimming, but descriptors stay good all the same. */
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

/* The order of use is the meta file's mtime; on a cache that cannot be written there is nothing to trim
 * either. */
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
        if (cache_meta_read(cache, kind, key, &meta)) /* without one it is only what a killed process left */
            run_warn(run, "cache", "%s %.16s was changed since it was stored, and is dropped", kind, key);
        cache_remove(cache, kind, key);
    }
    *ret_fd = steal_fd(&fd);
    return 0;
}

int cache_find(struct cache *cache, const char *kind, const char *key, int *ret_fd, struct sha256 *ret_sha256,
               const struct run *run, struct err *err)
{
    enum cache_state state;
    cleanup_close int fd = -1;
    struct sha256 sha256 = {0};
    if (cache_look(cache, kind, key, cache->recheck, &state, &fd, &sha256, run, err) < 0)
        return -1;
    if (state == CACHE_DOUBTED) {
        struct err ignored;
        int lock = -1;
        int doubted = 0;
        if (cache_try_lock(cache, kind, key, &lock, &ignored) < 0) /* a read-only cache */
            doubted = cache_look(cache, kind, key, true, &state, &fd, &sha256, run, err);
        else if (lock >= 0) /* else it is being made right now: cache_begin() waits for it */
            doubted = cache_settle(cache, kind, key, &fd, &sha256, run, err);
        cache_unlock(cache, kind, key, &lock);
        if (doubted < 0)
            return -1;
    }
    if (fd >= 0) {
        cache_mark_used(cache, kind, key);
        if (ret_sha256)
            *ret_sha256 = sha256;
    }
    *ret_fd = steal_fd(&fd);
    return 0;
}

int cache_drop(struct cache *cache, const char *kind, const char *key, const struct run *run, struct err *err)
{
    int lock = -1;
    if (cache_lock(cache, kind, key, &lock, run, err) < 0)
        return -1;
    cache_remove(cache, kind, key);
    cache_unlock(cache, kind, key, &lock);
    return 0;
}
