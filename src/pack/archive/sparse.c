#include "pack/archive/sparse.h"

#include <stdlib.h>

#include <isa-l/crc.h>
#include <isa-l/mem_routines.h>

#include "cache/cache.h"
#include "task/workers.h"
#include "text/bytes.h"

enum { BLOCKS = PACK_SEGMENT / PACK_BLOCK };

/* The disk's segments that may hold data, ascending. */
struct segment_list {
    struct disk_segment *items;
    size_t count, capacity;
    size_t unread; /* the first UNREAD of ORDER must be read */
    size_t *order;
};

static void list_free(struct segment_list *list)
{
    free(list->items);
    free(list->order);
}

static int add_segment(struct segment_list *list, uint64_t segment, struct err *err)
{
    if (list->count > 0 && list->items[list->count - 1].number >= segment)
        return 0; /* two runs of data in one segment */
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 1024;
        struct disk_segment *grown = reallocarray(list->items, capacity, sizeof *grown);
        if (!grown)
            return err_oom(err);
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->count++] = (struct disk_segment){.number = (uint32_t)segment};
    return 0;
}

/* Lists the segments in which the disk reports data. */
static int list_data(const struct disk *disk, struct segment_list *list, struct err *err)
{
    uint64_t from = 0, end = 0;
    for (uint64_t at = 0; disk_next_data(disk, at, &from, &end); at = end)
        for (uint64_t s = from / PACK_SEGMENT; s * PACK_SEGMENT < end; s++)
            if (add_segment(list, s, err) < 0)
                return -1;
    return 0;
}

/* Fills in the segments that are known, and lists the others in ORDER. */
static int apply_known(struct segment_list *list, const struct sparse_cache *cache, struct err *err)
{
    list->order = calloc(list->count + 1, sizeof *list->order);
    if (!list->order)
        return err_oom(err);
    for (size_t i = 0; i < list->count; i++) {
        struct disk_segment segment = list->items[i];
        if (cache && cache->known(cache->ctx, segment.number, &segment))
            list->items[i] = segment;
        else
            list->order[list->unread++] = i;
    }
    return 0;
}

struct scan {
    const struct disk *disk;
    struct segment_list *list;
};

int sparse_examine(const unsigned char *bytes, struct disk_segment *segment, struct err *err)
{
    unsigned mask = 0;
    segment->crc = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        const unsigned char *block = bytes + (size_t)i * PACK_BLOCK;
        if (isal_zero_detect((void *)(uintptr_t)block, PACK_BLOCK) == 0)
            continue;
        mask |= 1U << i;
        segment->crc = crc32_gzip_refl(segment->crc, block, PACK_BLOCK);
    }
    segment->mask = (uint16_t)mask;
    return mask ? sha256_of(bytes, PACK_SEGMENT, &segment->sha256, err) : 0;
}

static int scan_segment(void *ctx, size_t job, void *slot, void *own, struct err *err)
{
    (void)slot;
    struct scan *scan = ctx;
    struct disk_segment *segment = &scan->list->items[scan->list->order[job]];
    if (disk_check_base(scan->disk, (uint64_t)segment->number * PACK_SEGMENT, own, err) < 0 ||
        disk_read(scan->disk, own, PACK_SEGMENT, (uint64_t)segment->number * PACK_SEGMENT, err) < 0)
        return -1;
    return sparse_examine(own, segment, err);
}

static int scan_all(const struct scan *scan, unsigned threads, const struct run *run, struct err *err)
{
    cleanup_free unsigned char *memory = malloc((size_t)threads * PACK_SEGMENT);
    if (!memory || threads > PACK_THREADS_MAX)
        return err_oom(err);
    void *own[PACK_THREADS_MAX];
    for (unsigned i = 0; i < threads; i++)
        own[i] = memory + (size_t)i * PACK_SEGMENT;
    const struct workers workers = {.threads = threads,
                                    .jobs = scan->list->unread,
                                    .own = own,
                                    .ctx = (void *)(uintptr_t)scan,
                                    .work = scan_segment,
                                    .run = run};
    return workers_run(&workers, err);
}

int sparse_scan(const struct disk *disk, unsigned threads, const struct sparse_cache *cache,
                const struct run *run, struct sparse *ret, struct err *err)
{
    cleanup(list_free) struct segment_list list = {0};
    const struct scan scan = {.disk = disk, .list = &list};
    if (list_data(disk, &list, err) < 0 || apply_known(&list, cache, err) < 0 ||
        scan_all(&scan, threads, run, err) < 0)
        return -1;
    for (size_t i = 0; cache && i < list.unread; i++)
        if (cache->learn(cache->ctx, &list.items[list.order[i]], err) < 0)
            return -1;
    struct sparse made = {.size = disk->size};
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].mask != 0) {
            made.data_size += segment_data_len(&list.items[i]);
            list.items[made.count++] = list.items[i];
        }
    made.segments = steal_ptr(list.items);
    *ret = made;
    return 0;
}

int sparse_each_extent(const struct sparse *sparse,
                       int (*fn)(void *ctx, uint64_t off, uint64_t len, struct err *err), void *ctx,
                       struct err *err)
{
    uint64_t from = 0, end = 0; /* the current run, in blocks */
    for (size_t i = 0; i < sparse->count; i++) {
        const struct disk_segment *segment = &sparse->segments[i];
        for (unsigned bit = 0; bit < BLOCKS; bit++) {
            uint64_t at = (uint64_t)segment->number * BLOCKS + bit;
            if (!(segment->mask >> bit & 1))
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

int sparse_read(const struct disk *disk, const struct disk_segment *segment, unsigned char *out,
                struct err *err)
{
    unsigned mask = segment->mask;
    size_t len = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (!(mask >> i & 1))
            continue;
        unsigned from = i;
        while (i + 1 < BLOCKS && (mask >> (i + 1) & 1))
            i++;
        size_t run = (size_t)(i - from + 1) * PACK_BLOCK;
        uint64_t off = (uint64_t)segment->number * PACK_SEGMENT + (uint64_t)from * PACK_BLOCK;
        if (disk_read(disk, out + len, run, off, err) < 0)
            return -1;
        len += run;
    }
    return 0;
}

/* The digest covers the zeros between the data blocks as well. */
static int hash_joined(const struct disk_segment *segment, const unsigned char *bytes, struct sha256 *ret,
                       struct err *err)
{
    static const unsigned char zeros[PACK_BLOCK] = {0};
    cleanup_hasher struct hasher hasher = {0};
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0)
        return -1;
    for (unsigned i = 0; i < BLOCKS; i++) {
        bool data = segment->mask >> i & 1;
        if (hasher_add(&hasher, data ? bytes : zeros, PACK_BLOCK, err) < 0)
            return -1;
        bytes += data ? PACK_BLOCK : 0;
    }
    return hasher_end(&hasher, ret->bytes, err);
}

int sparse_check(const struct disk_segment *segment, const unsigned char *bytes, struct err *err)
{
    struct sha256 now = segment->sha256;
    if (segment->known && hash_joined(segment, bytes, &now, err) < 0)
        return -1;
    if (segment->known
            ? sha256_equal(&now, &segment->sha256)
            : crc32_gzip_refl(0, (void *)(uintptr_t)bytes, segment_data_len(segment)) == segment->crc)
        return 0;
    err_set(err, ERR_VERIFY, 0,
            "the disk's data at byte %llu changed after it was hashed: the cached copy of the base, or of a "
            "file on it, is damaged; --recheck recreates it",
            (unsigned long long)segment->number * PACK_SEGMENT);
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
        const struct disk_segment *segment = &sparse->segments[i];
        le64_write(number, (uint64_t)segment->number * PACK_SEGMENT);
        if (hasher_add(&hasher, number, sizeof number, err) < 0 ||
            hasher_add(&hasher, segment->sha256.bytes, SHA256_SIZE, err) < 0)
            return -1;
    }
    return hasher_end(&hasher, ret->bytes, err);
}
