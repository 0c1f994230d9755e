/* What vouches for an unpacked base: sums that are made while it is written, and kept beside it. */
#include <string.h>
#include <sys/stat.h>

#include "io/file.h"
#include "unpack/unpack_internal.h"

static const char kind[] = "sums";
enum { SUMS_MAX = 1 << 20 }; /* of a disk of 1 TiB */

int sums_keep(struct cache *cache, const char *key, const struct sums *sums, const struct run *run,
              struct err *err)
{
    cleanup_cache_entry struct cache_entry entry = CACHE_ENTRY_EMPTY;
    cleanup_close int fd = -1;
    struct sha256 sha256;
    size_t len = sums->count * sizeof *sums->items;
    const void *bytes = len > 0 ? (const void *)sums->items : "";
    if (cache_begin_anew(cache, kind, key, &entry, run, err) < 0 || sha256_of(bytes, len, &sha256, err) < 0 ||
        file_write(entry.fd, bytes, len, "the cache", err) < 0)
        return -1;
    return cache_commit(&entry, &sha256, &fd, err);
}

int sums_find(struct cache *cache, const char *key, struct sums *ret, bool *ret_found, const struct run *run,
              struct err *err)
{
    cleanup_close int fd = -1;
    struct stat st;
    *ret_found = false;
    if (cache_find(cache, kind, key, &fd, NULL, run, err) < 0)
        return -1;
    if (fd < 0)
        return 0;
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "stat the cache's sums");
    size_t count = (size_t)st.st_size / sizeof *ret->items;
    if (count > SUMS_MAX)
        return 0;
    cleanup_free uint32_t *items = calloc(count + 1, sizeof *items);
    if (!items)
        return err_oom(err);
    if (file_pread(fd, items, count * sizeof *items, 0, "the cache", err) < 0)
        return -1;
    *ret = (struct sums){.items = steal_ptr(items), .count = count};
    *ret_found = true;
    return 0;
}
