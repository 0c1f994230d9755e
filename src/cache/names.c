/* The rules for names of entries, and the folders of their kinds. */
#include "cache/internal.h"

#include <fcntl.h>
#include <string.h>

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

DIR *cache_open_dir(struct cache *cache, const char *name)
{
    cleanup_close int fd = openat(cache->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir)
        fd = -1; /* the stream owns it */
    return dir;
}
