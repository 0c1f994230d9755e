#include "pack/archive/sparse.h"

#include <stdlib.h>

#include <isa-l/crc.h>
#include <isa-l/mem_routines.h>

#include "cache/cache.h"
#include "pack/workers.h"
#include "text/bytes.h"

enum { BLOCKS = PACK_SEGMENT / PACK_BLOCK, SCAN_AHEAD = 16 /* jobs, before the first of them is done */ };

/* Segments that may hold data, ascending. */
struct list {
    struct piece *items;
    size_t count, capacity;
    size_t unread; /* the first UNREAD in ORDER have to be read */
    size_t *order;
};

static void list_free(struct list *list)
{
    free(list->items);
    free(list->order);
}

static int add(struct list *list, uint64_t segment, struct err *err)
{
    if (list->count > 0 && list->items[list->count - 1].segment >= segment)
        return 0; /* two pieces of data in one segment */
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 1024;
        struct piece *grown = reallocarray(list->items, capacity, sizeof *grown);
        if (!grown)
            return err_oom(err);
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->count++] = (struct piece){.segment = (uint32_t)segment};
    return 0;
}

/* Segments that may hold data. */
static int ask_holes(const struct disk *disk, struct list *list, struct err *err)
{
    uint64_t from = 0, end = 0;
    for (uint64_t at = 0; disk_next_data(disk, at, &from, &end); at = end)
        for (uint64_t s = from / PACK_SEGMENT; s * PACK_SEGMENT < end; s++)
            if (add(list, s, err) < 0)
                return -1;
    return 0;
}

/* Takes what is known, and lists the rest. */
static int ask_known(struct list *list, const struct sparse_memory *memory, struct err *err)
{
    list->order = calloc(list->count + 1, sizeof *list->order);
    if (!list->order)
        return err_oom(err);
    for (size_t i = 0; i < list->count; i++) {
        struct piece piece = list->items[i];
        if (memory && memory->known(memory->ctx, piece.segment, &piece))
            list->items[i] = piece;
        else
            list->order[list->unread++] = i;
    }
    return 0;
}

struct scan {
    const struct disk *disk;
    struct list *list;
};

int sparse_look(const unsigned char *bytes, struct piece *piece, struct err *err)
{
    unsigned mask = 0;
    piece->crc = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        const unsigned char *block = bytes + (size_t)i * PACK_BLOCK;
        if (isal_zero_detect((void *)(uintptr_t)block, PACK_BLOCK) == 0)
            continue;
        mask |= 1U << i;
        piece->crc = crc32_gzip_refl(piece->crc, block, PACK_BLOCK);
    }
    piece->mask = (uint16_t)mask;
    return mask ? sha256_of(bytes, PACK_SEGMENT, &piece->sha256, err) : 0;
}

static int scan_segment(void *ctx, size_t job, void *slot, void *own, struct err *err)
{
    (void)slot;
    struct scan *scan = ctx;
    struct piece *piece = &scan->list->items[scan->list->order[job]];
    if (disk_check_base(scan->disk, (uint64_t)piece->segment * PACK_SEGMENT, own, err) < 0 ||
        disk_read(scan->disk, own, PACK_SEGMENT, (uint64_t)piece->segment * PACK_SEGMENT, err) < 0)
        return -1;
    return sparse_look(own, piece, err);
}

static int scan_all(const struct scan *scan, unsigned threads, const struct run *run, struct err *err)
{
    cleanup_free unsigned char *memory = malloc((size_t)threads * PACK_SEGMENT);
    if (!memory || threads > PACK_THREADS_MAX)
        return err_oom(err);
    void *slots[SCAN_AHEAD] = {0}; /* hold nothing: what is found goes into the list */
    void *own[PACK_THREADS_MAX];
    for (unsigned i = 0; i < threads; i++)
        own[i] = memory + (size_t)i * PACK_SEGMENT;
    const struct workers workers = {.threads = threads,
                                    .jobs = scan->list->unread,
                                    .slots = slots,
                                    .slot_count = SCAN_AHEAD,
                                    .own = own,
                                    .ctx = (void *)(uintptr_t)scan,
                                    .work = scan_segment,
                                    .run = run};
    return workers_run(&workers, err);
}

int sparse_scan(const struct disk *disk, unsigned threads, const struct sparse_memory *memory,
                const struct run *run, struct sparse *ret, struct err *err)
{
    cleanup(list_free) struct list list = {0};
    const struct scan scan = {.disk = disk, .list = &list};
    if (ask_holes(disk, &list, err) < 0 || ask_known(&list, memory, err) < 0 ||
        scan_all(&scan, threads, run, err) < 0)
        return -1;
    for (size_t i = 0; memory && i < list.unread; i++)
        if (memory->learn(memory->ctx, &list.items[list.order[i]], err) < 0)
            return -1;
    struct sparse made = {.size = disk->size};
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].mask != 0) {
            made.data_size += piece_len(&list.items[i]);
            list.items[made.count++] = list.items[i];
        }
    made.pieces = steal_ptr(list.items);
    *ret = made;
    return 0;
}

int sparse_each_run(const struct sparse *sparse,
                    int (*fn)(void *ctx, uint64_t off, uint64_t len, struct err *err), void *ctx,
                    struct err *err)
{
    uint64_t from = 0, end = 0; /* the run that grows, in blocks */
    for (size_t i = 0; i < sparse->count; i++) {
        const struct piece *piece = &sparse->pieces[i];
        for (unsigned bit = 0; bit < BLOCKS; bit++) {
            uint64_t at = (uint64_t)piece->segment * BLOCKS + bit;
            if (!(piece->mask >> bit & 1))
                continue;
            if (at != end) {
                if (end > from && fn(ctx, from * PACK_BLOCK, (end - from) * PACK_BLOCK, err) < 0)
                    return -1;
                from = at;
            }
            end = at + 1;
        }
    }
    return end > from ? fn(ctx, from * PACK_BLOCK, (end - from) * PACK_BLOCK, err) : 0;
}

int sparse_read(const struct disk *disk, const struct piece *piece, unsigned char *out, struct err *err)
{
    unsigned mask = piece->mask;
    size_t len = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (!(mask >> i & 1))
            continue;
        unsigned from = i;
        while (i + 1 < BLOCKS && (mask >> (i + 1) & 1))
            i++;
        size_t run = (size_t)(i - from + 1) * PACK_BLOCK;
        uint64_t off = (uint64_t)piece->segment * PACK_SEGMENT + (uint64_t)from * PACK_BLOCK;
        if (disk_read(disk, out + len, run, off, err) < 0)
            return -1;
        len += run;
    }
    return 0;
}

/* The digest covers the zeros between the data blocks as well. */
static int hash_joined(const struct piece *piece, const unsigned char *bytes, struct sha256 *ret,
                       struct err *err)
{
    static const unsigned char zeros[PACK_BLOCK] = {0};
    cleanup_hasher struct hasher hasher = {0};
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0)
        return -1;
    for (unsigned i = 0; i < BLOCKS; i++) {
        bool data = piece->mask >> i & 1;
        if (hasher_add(&hasher, data ? bytes : zeros, PACK_BLOCK, err) < 0)
            return -1;
        bytes += data ? PACK_BLOCK : 0;
    }
    return hasher_end(&hasher, ret->bytes, err);
}

int sparse_check(const struct piece *piece, const unsigned char *bytes, struct err *err)
{
    struct sha256 now = piece->sha256;
    if (piece->known && hash_joined(piece, bytes, &now, err) < 0)
        return -1;
    if (piece->known ? sha256_equal(&now, &piece->sha256)
                     : crc32_gzip_refl(0, (void *)(uintptr_t)bytes, piece_len(piece)) == piece->crc)
        return 0;
    err_set(err, ERR_VERIFY, 0,
            "what is at byte %llu of the disk has changed since it was hashed: the cache's copy of the base "
            "or of a file in "
            "it is damaged; --recheck makes it anew",
            (unsigned long long)piece->segment * PACK_SEGMENT);
    err->errnum = CACHE_ROT;
    return -1;
}

int sparse_tree(const struct sparse *sparse, struct sha256 *ret, struct err *err)
{
    static const char magic[] = "bake disk 1\n";
    unsigned char number[8];
    cleanup_hasher struct hasher hasher = {0};
    le64_write(number, sparse->size);
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0 ||
        hasher_add(&hasher, magic, sizeof magic - 1, err) < 0 ||
        hasher_add(&hasher, number, sizeof number, err) < 0)
        return -1;
    for (size_t i = 0; i < sparse->count; i++) {
        const struct piece *piece = &sparse->pieces[i];
        le64_write(number, (uint64_t)piece->segment * PACK_SEGMENT);
        if (hasher_add(&hasher, number, sizeof number, err) < 0 ||
            hasher_add(&hasher, piece->sha256.bytes, SHA256_SIZE, err) < 0)
            return -1;
    }
    return hasher_end(&hasher, ret->bytes, err);
}
