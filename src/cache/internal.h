/* Shared by the files of src/cache; only they and their tests include this. */
#ifndef BAKE_CACHE_INTERNAL_H
#define BAKE_CACHE_INTERNAL_H

#include <dirent.h>
#include <sys/stat.h>

#include "cache/cache.h"

struct cache {
    int fd;    /* of the directory */
    char *dir; /* its path */
    uint64_t max_bytes;
    struct timespec keep_since;
    bool recheck;
    bool named_temps; /* no O_TMPFILE, or no /proc for linkat() */
};

enum { CACHE_KIND_CAP = 33, CACHE_KEY_CAP = 161, CACHE_REL_CAP = CACHE_KIND_CAP + CACHE_KEY_CAP + 16 };

/* A file's identity, which reveals a change of content without reading it. */
struct cache_meta {
    struct sha256 sha256;
    uint64_t size, inode;
    int64_t mtime_s, ctime_s;
    int64_t mtime_ns, ctime_ns; /* the nanoseconds within the second */
};

bool cache_kind_ok(const char *kind);
bool cache_key_ok(const char *key);
/* "KIND/KEYSUFFIX". Names that break the rules are ERR_INTERNAL. */
must_check int cache_rel(const char *kind, const char *key, const char *suffix,
                         char out[static CACHE_REL_CAP], struct err *err);
/* Makes the kind's folder. */
must_check int cache_make_kind(struct cache *cache, const char *kind, struct err *err);
/* The folder NAME ("." is the cache itself), or NULL with errno. */
must_check DIR *cache_open_dir(struct cache *cache, const char *name);

static inline void cache_close_dir(DIR *const *dir)
{
    if (*dir)
        closedir(*dir);
}
#define cleanup_dir cleanup(cache_close_dir)

void cache_meta_of(const struct stat *st, const struct sha256 *sha256, struct cache_meta *ret);
bool cache_meta_same(const struct cache_meta *meta, const struct stat *st);
/* False when the meta file is missing or damaged. */
bool cache_meta_read(struct cache *cache, const char *kind, const char *key, struct cache_meta *ret);
/* The caller holds the key's lock. */
must_check int cache_meta_write(struct cache *cache, const char *kind, const char *key,
                                const struct cache_meta *meta, struct err *err);

enum cache_state {
    CACHE_NONE,    /* no content */
    CACHE_WHOLE,   /* *ret_fd is the entry */
    CACHE_DOUBTED, /* content whose meta file is missing or does not match */
};
/* Needs no lock. With HASH the content is read and compared with its digest. */
must_check int cache_look(struct cache *cache, const char *kind, const char *key, bool hash,
                          enum cache_state *ret, int *ret_fd, struct sha256 *ret_sha256,
                          const struct run *run, struct err *err);
/* Hashes a doubted entry, which is then whole again or removed (*ret_fd is -1). The caller holds the key's
 * lock. */
must_check int cache_settle(struct cache *cache, const char *kind, const char *key, int *ret_fd,
                            struct sha256 *ret_sha256, const struct run *run, struct err *err);
void cache_mark_used(struct cache *cache, const char *kind, const char *key);
/* Removes the entry's files, its meta file first. The caller holds the key's lock. */
void cache_remove(struct cache *cache, const char *kind, const char *key);

must_check int cache_lock(struct cache *cache, const char *kind, const char *key, int *ret_fd,
                          const struct run *run, struct err *err);
/* Removes named temporary files whose writer has ended. */
void cache_sweep_temps(struct cache *cache);

#define CACHE_TEMP_PREFIX "new."

#endif
