/* CRC-32C sums of each MiB of an unpacked disk: computed as it is written, cached beside it, and checked when
 * the disk is read (disk_set_base_sums()). Blocks of zeros are left out, so that holes cost nothing. */
#ifndef BAKE_UNPACK_SUMS_H
#define BAKE_UNPACK_SUMS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "cache/cache.h"
#include "disk/disk.h"

struct sums {
    uint32_t *items; /* one for each DISK_SUM bytes */
    size_t count;
};

static inline void sums_free(struct sums *sums)
{
    free(sums->items);
    *sums = (struct sums){0};
}
#define cleanup_sums cleanup(sums_free)

/* Adds LEN bytes at OFF, a multiple of DISK_SUM_BLOCK, without blocks of zeros; OFF ascends from call to
 * call. The last block may be short. */
must_check int sums_add(struct sums *sums, const unsigned char *bytes, size_t len, uint64_t off,
                        struct err *err);

/* Writes the cache entry that goes with the disk KEY. Call it before the disk is committed, so that no disk
 * is without sums. */
must_check int sums_write(struct cache *cache, const char *key, const struct sums *sums,
                          const struct run *run, struct err *err);
/* *ret_found is false when there is no entry. */
must_check int sums_read(struct cache *cache, const char *key, struct sums *ret, bool *ret_found,
                         const struct run *run, struct err *err);

#endif
