#include "pack/diskhash.h"

#include <pthread.h>

#include "pack/workers.h"

/* Zeros of a hole are hashed from one block that stays in the processor's cache. */
static int hash_segment(const struct diskhash *hash, size_t segment, struct hasher *hasher,
                        unsigned char *memory, const unsigned char *zeros, struct err *err)
{
    uint64_t off = (uint64_t)segment * PACK_SEGMENT;
    if (hash->sparse->masks[segment] == 0) {
        for (size_t i = 0; i < PACK_SEGMENT / PACK_BLOCK; i++)
            if (hasher_add(hasher, zeros, PACK_BLOCK, err) < 0)
                return -1;
        return 0;
    }
    if (disk_read(hash->disk, memory, PACK_SEGMENT, off, err) < 0)
        return -1;
    return hasher_add(hasher, memory, PACK_SEGMENT, err);
}

static int hash_disk(struct diskhash *hash, struct err *err)
{
    cleanup_hasher struct hasher hasher = {0};
    cleanup_free unsigned char *memory = malloc(PACK_SEGMENT);
    cleanup_free unsigned char *zeros = calloc(1, PACK_BLOCK);
    if (!memory || !zeros)
        return err_oom(err);
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0)
        return -1;
    for (size_t i = 0; i < hash->sparse->segment_count; i++) {
        if (atomic_load(&hash->stop))
            return err_set(err, ERR_INTERNAL, 0, "hashing the disk was given up");
        if (run_check(hash->run, err) < 0 || hash_segment(hash, i, &hasher, memory, zeros, err) < 0)
            return -1;
    }
    return hasher_end(&hasher, hash->sha256.bytes, err);
}

static void *run_hash(void *arg)
{
    struct diskhash *hash = arg;
    hash->result = hash_disk(hash, &hash->err);
    return NULL;
}

int diskhash_start(struct diskhash *hash, const struct disk *disk, const struct sparse *sparse,
                   const struct run *run, struct err *err)
{
    hash->disk = disk;
    hash->sparse = sparse;
    hash->run = run;
    int r = workers_spawn(&hash->thread, run_hash, hash);
    if (r != 0)
        return err_set(err, ERR_INTERNAL, r, "start a thread");
    hash->running = true;
    return 0;
}

int diskhash_end(struct diskhash *hash, struct sha256 *ret, struct err *err)
{
    pthread_join(hash->thread, NULL);
    hash->running = false;
    if (hash->result < 0) {
        *err = hash->err;
        return -1;
    }
    *ret = hash->sha256;
    return 0;
}

void diskhash_free(struct diskhash *hash)
{
    if (!hash->running)
        return;
    atomic_store(&hash->stop, true);
    pthread_join(hash->thread, NULL);
    hash->running = false;
}
