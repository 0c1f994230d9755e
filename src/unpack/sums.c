#include "unpack/sums.h"

#include <string.h>
#include <sys/stat.h>

#include "io/crc32c.h"
#include "io/file.h"

static const char kind[] = "sums";
enum { SUMS_MAX = 1 << 20 }; /* for a disk of 1 TiB */

int sums_add(struct sums *sums, const unsigned char *bytes, size_t len, uint64_t off, struct err *err)
{
    static const unsigned char zeros[DISK_SUM_BLOCK] = {0};
    size_t needed = (size_t)((off + len + DISK_SUM - 1) / DISK_SUM);
    if (needed > sums->count) {
        uint32_t *more = reallocarray(sums->items, needed, sizeof *more);
        if (!more)
            return err_oom(err);
        memset(more + sums->count, 0, (needed - sums->count) * sizeof *more);
        *sums = (struct sums){more, needed};
    }
    while (len > 0) {
        uint32_t *sum = &sums->items[off / DISK_SUM];
        size_t left = DISK_SUM - (size_t)(off % DISK_SUM), step = len < left ? len : left;
        *sum = crc32c_add(*sum, bytes, step);
        if (step % DISK_SUM_BLOCK != 0)
            *sum = crc32c_add(*sum, zeros, DISK_SUM_BLOCK - step % DISK_SUM_BLOCK);
        bytes += step;
        off += step;
        len -= step;
    }
    return 0;
}

int sums_write(struct cache *cache, const char *key, const struct sums *sums, const struct run *run,
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

int sums_read(struct cache *cache, const char *key, struct sums *ret, bool *ret_found, const struct run *run,
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
