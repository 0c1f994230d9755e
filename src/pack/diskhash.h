/* SHA-256 of the whole disk, holes as zeros, on a thread of its own beside the packing.
 *
 * In:    a disk that nobody writes to meanwhile, and where it has data. Both must outlive the thread.
 * Out:   the digest.
 * Fails: as the disk does; ERR_INTERRUPTED.
 * Owns:  its thread, which diskhash_free() stops and waits for.
 */
#ifndef BAKE_PACK_DISKHASH_H
#define BAKE_PACK_DISKHASH_H

#include <stdatomic.h>

#include "pack/sparse.h"

struct diskhash {
    unsigned long thread;
    bool running;
    atomic_bool stop;
    const struct disk *disk;
    const struct sparse *sparse;
    const struct run *run;
    int result;
    struct sha256 sha256;
    struct err err;
};

must_check int diskhash_start(struct diskhash *hash, const struct disk *disk, const struct sparse *sparse,
                              const struct run *run, struct err *err);
/* Waits for the thread. */
must_check int diskhash_end(struct diskhash *hash, struct sha256 *ret, struct err *err);
void diskhash_free(struct diskhash *hash);
#define cleanup_diskhash cleanup(diskhash_free)

#endif
