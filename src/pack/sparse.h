/* Where a disk has data, in blocks of PACK_BLOCK: a map that depends on the disk's bytes alone.
 *
 * In:    a disk.
 * Out:   one mask for each PACK_SEGMENT: bit N is set when its Nth block is not all zeros.
 * Fails: as the disk does; ERR_INTERRUPTED.
 * Owns:  its masks, until sparse_free(). What the file system calls a hole only saves reading.
 */
#ifndef BAKE_PACK_SPARSE_H
#define BAKE_PACK_SPARSE_H

#include <assert.h>

#include "io/disk.h"
#include "pack/pack.h"

struct sparse {
    uint64_t size;   /* bytes of the disk, a multiple of PACK_SEGMENT */
    uint16_t *masks; /* segment_count of them */
    size_t segment_count;
    uint64_t data_size; /* bytes of all blocks that are not zeros */
};
static_assert(PACK_SEGMENT / PACK_BLOCK == 16, "a mask has a bit for each block");

must_check int sparse_scan(const struct disk *disk, unsigned threads, const struct run *run,
                           struct sparse *ret, struct err *err);
static inline void sparse_free(struct sparse *sparse)
{
    cleanup_free_fn(&sparse->masks);
    sparse->masks = NULL;
}
#define cleanup_sparse cleanup(sparse_free)

/* Calls FN for each run of consecutive data blocks, in order, until it fails. */
must_check int sparse_each_run(const struct sparse *sparse,
                               int (*fn)(void *ctx, uint64_t off, uint64_t len, struct err *err), void *ctx,
                               struct err *err);

/* Reads the data blocks of one segment, joined, to OUT (PACK_SEGMENT bytes). Returns their number of bytes in
 * *ret_len. */
must_check int sparse_read(const struct sparse *sparse, const struct disk *disk, size_t segment,
                           unsigned char *out, size_t *ret_len, struct err *err);

#endif
