/* cache_each() of cache/cache.h. */
#include "cache/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

static void close_dir(DIR *const *dir)
{
    if (*dir)
        closedir(*dir);
}

static bool ends_with(const char *s, const char *suffix)
{
    size_t len = strlen(s), n = strlen(suffix);
    return len >= n && strcmp(s + len - n, suffix) == 0;
}

int cache_each(struct cache *cache, const char *kind, const char *prefix,
               int (*fn)(void *ctx, const char *key, struct err *err), void *ctx, struct err *err)
{
    if (!cache_kind_ok(kind))
        return err_set(err, ERR_INTERNAL, 0, "\"%.40s\" is not a kind of cache entry", kind);
    cleanup_close int fd = openat(cache->fd, kind, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return 0;
    cleanup(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return err_sys(err, errno, "read %s/%s", cache->dir, kind);
    fd = -1; /* the stream owns it */
    for (struct dirent *e; (e = readdir(dir));) {
        const char *name = e->d_name;
        if (strncmp(name, prefix, strlen(prefix)) == 0 && !ends_with(name, ".meta") && cache_key_ok(name) &&
            fn(ctx, name, err) < 0)
            return -1;
    }
    return 0;
}
