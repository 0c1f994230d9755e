#include "cache/internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>

#include "io/file.h"

/* Another user who can write to the cache could replace a verified file. */
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
            "cache %s can be reached by other users (mode %04o): chmod 700 it if they could never "
            "write to it, else remove it; if its file system has no modes (FAT), name a folder on another "
            "one with --cache-dir",
            dir, st.st_mode & 07777);
    return 0;
}

/* A bound larger than the file system would have no effect. */
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
        /* the next run trims; this run has done its work */
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
        int r = 0;
        if (cache_try_lock(cache, kind, key, &lock, &ignored) < 0) /* a read-only cache */
            r = cache_look(cache, kind, key, true, &state, &fd, &sha256, run, err);
        else if (lock >= 0) /* else another run is making it, and cache_begin() waits */
            r = cache_settle(cache, kind, key, &fd, &sha256, run, err);
        cache_unlock(cache, kind, key, &lock);
        if (r < 0)
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
