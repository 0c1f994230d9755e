#include "pack/sparse.h"

#include <string.h>
#include <unistd.h>

#include <isa-l/mem_routines.h>

#include "pack/workers.h"

enum { BLOCKS = PACK_SEGMENT / PACK_BLOCK, SCAN_SLOTS = 2 * PACK_THREADS_MAX };

struct scan {
    const struct disk *disk;
    struct sparse *sparse;
    const bool *candidate; /* segments that are not one hole */
};

/* Marks segments that may have data. */
static void ask_holes(const struct disk *disk, bool *candidate)
{
    uint64_t from, end;
    for (uint64_t at = 0; disk_next_data(disk, at, &from, &end); at = end)
        for (uint64_t s = from / PACK_SEGMENT; s * PACK_SEGMENT < end; s++)
            candidate[s] = true;
}

static int scan_segment(void *ctx, size_t segment, void *slot, struct err *err)
{
    struct scan *scan = ctx;
    if (!scan->candidate[segment])
        return 0;
    if (disk_read(scan->disk, slot, PACK_SEGMENT, (uint64_t)segment * PACK_SEGMENT, err) < 0)
        return -1;
    unsigned mask = 0;
    for (unsigned i = 0; i < BLOCKS; i++)
        if (isal_zero_detect((unsigned char *)slot + (size_t)i * PACK_BLOCK, PACK_BLOCK) != 0)
            mask |= 1U << i;
    scan->sparse->masks[segment] = (uint16_t)mask;
    return 0;
}

static int count_segment(void *ctx, size_t segment, void *slot, struct err *err)
{
    (void)slot;
    (void)err;
    struct scan *scan = ctx;
    scan->sparse->data_size +=
        (uint64_t)__builtin_popcount(scan->sparse->masks[segment]) * (uint64_t)PACK_BLOCK;
    return 0;
}

int sparse_scan(const struct disk *disk, unsigned threads, const struct run *run, struct sparse *ret,
                struct err *err)
{
    cleanup_sparse struct sparse made = {.size = disk->size,
                                         .segment_count = (size_t)(disk->size / PACK_SEGMENT)};
    made.masks = calloc(made.segment_count + 1, sizeof *made.masks);
    cleanup_free bool *candidate = calloc(made.segment_count + 1, sizeof *candidate);
    size_t slot_count = 2 * (size_t)threads;
    cleanup_free unsigned char *memory = malloc(slot_count * PACK_SEGMENT);
    if (!made.masks || !candidate || !memory || slot_count > SCAN_SLOTS)
        return err_oom(err);
    void *slots[SCAN_SLOTS];
    for (size_t i = 0; i < slot_count; i++)
        slots[i] = memory + i * PACK_SEGMENT;
    ask_holes(disk, candidate);
    struct scan scan = {.disk = disk, .sparse = &made, .candidate = candidate};
    const struct workers workers = {.threads = threads,
                                    .jobs = made.segment_count,
                                    .slots = slots,
                                    .slot_count = slot_count,
                                    .ctx = &scan,
                                    .work = scan_segment,
                                    .take = count_segment,
                                    .run = run};
    if (workers_run(&workers, err) < 0)
        return -1;
    *ret = made;
    made.masks = NULL;
    return 0;
}

static bool block_is_data(const struct sparse *sparse, uint64_t block)
{
    return (sparse->masks[block / BLOCKS] >> (block % BLOCKS) & 1) != 0;
}

int sparse_each_run(const struct sparse *sparse,
                    int (*fn)(void *ctx, uint64_t off, uint64_t len, struct err *err), void *ctx,
                    struct err *err)
{
    uint64_t blocks = sparse->size / PACK_BLOCK;
    for (uint64_t at = 0; at < blocks;) {
        if (at % BLOCKS == 0 && sparse->masks[at / BLOCKS] == 0) {
            at += BLOCKS;
            continue;
        }
        if (!block_is_data(sparse, at)) {
            at++;
            continue;
        }
        uint64_t from = at;
        while (at < blocks && block_is_data(sparse, at))
            at++;
        if (fn(ctx, from * PACK_BLOCK, (at - from) * PACK_BLOCK, err) < 0)
            return -1;
    }
    return 0;
}

int sparse_read(const struct sparse *sparse, const struct disk *disk, size_t segment, unsigned char *out,
                size_t *ret_len, struct err *err)
{
    unsigned mask = sparse->masks[segment];
    size_t len = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (!(mask >> i & 1))
            continue;
        unsigned from = i;
        while (i + 1 < BLOCKS && (mask >> (i + 1) & 1))
            i++;
        size_t run = (size_t)(i - from + 1) * PACK_BLOCK;
        uint64_t off = (uint64_t)segment * PACK_SEGMENT + (uint64_t)from * PACK_BLOCK;
        if (disk_read(disk, out + len, run, off, err) < 0)
            return -1;
        len += run;
    }
    *ret_len = len;
    return 0;
}
