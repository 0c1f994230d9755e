/* What unpack.c and unpacking.c share. */
#ifndef BAKE_UNPACK_UNPACK_INTERNAL_H
#define BAKE_UNPACK_UNPACK_INTERNAL_H

#include "unpack/archive/reader.h"
#include "unpack/unpack.h"

extern const char unpack_kind[]; /* of the cache's entries */

/* Of each MiB of a disk: see disk_vouch(). */
struct sums {
    uint32_t *items;
    size_t count;
};

/* The disk in an artifact, to FD, a new file. FLOW, which may be NULL, is told how far it is. SUMS, empty at first, is the caller's
 * to free. */
must_check int unpack_to(const struct reader_input *input, const struct unpack_limits *limits,
                         const struct run *run, struct progress *progress, int fd, struct sums *sums,
                         struct err *err);

static inline void sums_free(struct sums *sums)
{
    free(sums->items);
    *sums = (struct sums){0};
}

/* Beside the cache's disk KEY: kept before the disk is, so that no disk is without. *ret_found is false when there are none. */
must_check int sums_keep(struct cache *cache, const char *key, const struct sums *sums, const struct run *run,
                         struct err *err);
must_check int sums_find(struct cache *cache, const char *key, struct sums *ret, bool *ret_found,
                         const struct run *run, struct err *err);

#endif
