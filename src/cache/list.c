/* cache_each() of cache/cache.h. */
#include "cache/internal.h"

#include <string.h>

int cache_each(struct cache *cache, const char *kind, const char *prefix,
               int (*fn)(void *ctx, const char *key, struct err *err), void *ctx, struct err *err)
{
    if (!cache_kind_ok(kind))
        return err_set(err, ERR_INTERNAL, 0, "\"%.40s\" is not a kind of cache entry", kind);
    cleanup_dir DIR *dir = cache_open_dir(cache, kind);
    if (!dir && errno == ENOENT)
        return 0;
    if (!dir)
        return err_sys(err, errno, "read %s/%s", cache->dir, kind);
    for (struct dirent *e; (e = readdir(dir));) {
        const char *name = e->d_name;
        if (strncmp(name, prefix, strlen(prefix)) == 0 && cache_key_ok(name) && fn(ctx, name, err) < 0)
            return -1;
    }
    return 0;
}
