/* Looks segments up and reads them; store_write.c writes. */
#include "pack/segment/store.h"

#include <string.h>
#include <sys/stat.h>

#include "io/crc32c.h"
#include "io/file.h"
#include "pack/segment/store_internal.h"
#include "text/hex.h"

const char store_kind[] = "segment";

bool store_grow(void **items, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return true;
    size_t more = *capacity ? *capacity * 2 : 1024;
    void *grown = reallocarray(*items, more, size);
    if (!grown)
        return false;
    *items = grown;
    *capacity = more;
    return true;
}

static int by_raw(const void *a, const void *b)
{
    const struct cached_segment *x = a, *y = b;
    return memcmp(x->record.raw.bytes, y->record.raw.bytes, SHA256_SIZE);
}

int store_by_origin(const void *a, const void *b)
{
    const struct known_segment *x = a, *y = b;
    return memcmp(x->origin.bytes, y->origin.bytes, SHA256_SIZE);
}

static int add_index(struct store *store, const struct segindex *index, unsigned entry, struct err *err)
{
    for (size_t i = 0; i < index->record_count; i++) {
        if (!store_grow((void **)&store->items, &store->item_capacity, store->item_count,
                        sizeof *store->items))
            return err_oom(err);
        store->items[store->item_count++] =
            (struct cached_segment){.record = index->records[i], .entry = entry};
    }
    for (size_t i = 0; i < index->known_count; i++) {
        if (!store_grow((void **)&store->known, &store->known_capacity, store->known_count,
                        sizeof *store->known))
            return err_oom(err);
        store->known[store->known_count++] = index->known[i];
    }
    return 0;
}

void store_sort(struct store *store)
{
    if (store->item_count > 0)
        qsort(store->items, store->item_count, sizeof *store->items, by_raw);
    if (store->known_count > 0)
        qsort(store->known, store->known_count, sizeof *store->known, store_by_origin);
}

/* False when it is damaged. */
static bool read_index(int fd, struct segindex *ret)
{
    struct stat st;
    struct err ignored;
    unsigned char trailer[TRAILER_SIZE];
    if (fstat(fd, &st) < 0 || st.st_size < TRAILER_SIZE ||
        file_pread(fd, trailer, sizeof trailer, (uint64_t)st.st_size - TRAILER_SIZE, "segments", &ignored) <
            0)
        return false;
    size_t len = segindex_size(trailer, (uint64_t)st.st_size);
    cleanup_free unsigned char *bytes = len ? malloc(len) : NULL;
    return bytes && file_pread(fd, bytes, len, (uint64_t)st.st_size - len, "segments", &ignored) == 0 &&
           segindex_read(bytes, len, (uint64_t)st.st_size, ret);
}

int store_take_entry(struct store *store, const char *key, int *fd, struct err *err)
{
    cleanup_segindex struct segindex index = {0};
    unsigned entry = store->entry_count;
    if (entry == sizeof store->entries / sizeof *store->entries)
        return 0; /* more than bake ever writes: the cache trims unused ones */
    struct store_entry *to = &store->entries[store->entry_count++];
    snprintf(to->key, sizeof to->key, "%s", key);
    atomic_init(&to->damaged, !read_index(*fd, &index));
    to->fd = steal_fd(fd);
    return add_index(store, &index, entry, err);
}

static int open_entry(void *ctx, const char *key, struct err *err)
{
    struct store *store = ctx;
    cleanup_close int fd = -1;
    struct err why = {0};
    if (strlen(key) >= sizeof store->entries[0].key)
        return 0;
    if (cache_find(store->cache, store_kind, key, &fd, NULL, store->run, &why) < 0) {
        if (why.kind == ERR_INTERRUPTED) {
            *err = why;
            return -1;
        }
        run_warn(store->run, "pack", "%s", why.text);
        return 0;
    }
    return fd < 0 ? 0 : store_take_entry(store, key, &fd, err);
}

int store_init(struct store *store, struct cache *cache, const struct disk *disk, const struct sha256 *base,
               enum deflate_engine engine, const struct run *run, struct err *err)
{
    *store =
        (struct store){.writing = CACHE_ENTRY_EMPTY, .cache = cache, .run = run, .view = base ? disk : NULL};
    if (!store->cache)
        return 0;
    char text[256], hex[SHA256_HEX];
    struct sha256 id = {0};
    hex_encode(base ? base->bytes : id.bytes, SHA256_SIZE, hex);
    int n = snprintf(text, sizeof text, "base %s engine %s segment %d block %d", hex,
                     deflate_engine_name(engine), PACK_SEGMENT, PACK_BLOCK);
    if (sha256_of(text, (size_t)n, &id, err) < 0)
        return -1;
    hex_encode(id.bytes, SHA256_SIZE, hex);
    snprintf(store->prefix, sizeof store->prefix, "%.32s", hex);
    if (cache_each(store->cache, store_kind, store->prefix, open_entry, store, err) < 0) {
        if (err->kind == ERR_INTERRUPTED)
            return -1;
        run_warn(run, "pack", "%s", err->text);
    }
    store_sort(store);
    return 0;
}

void store_free(struct store *store)
{
    for (unsigned i = 0; i < store->entry_count; i++)
        cleanup_close_fn(&store->entries[i].fd);
    if (store->cache)
        cache_abort(&store->writing);
    hasher_free(&store->hasher);
    segindex_free(&store->fresh);
    free(store->items);
    free(store->known);
    *store = (struct store){.writing = CACHE_ENTRY_EMPTY};
}

static bool origin_of(const struct store *store, uint32_t segment, struct sha256 *ret)
{
    return store->view && disk_origin(store->view, (uint64_t)segment * PACK_SEGMENT, PACK_SEGMENT, ret);
}

bool store_known(void *ctx, uint32_t segment, struct disk_segment *ret)
{
    struct store *store = ctx;
    struct known_segment wanted;
    if (store->known_count == 0 || !origin_of(store, segment, &wanted.origin))
        return false;
    struct known_segment *found =
        bsearch(&wanted, store->known, store->known_count, sizeof *store->known, store_by_origin);
    if (!found)
        return false;
    found->used = true;
    *ret = (struct disk_segment){.number = segment, .mask = found->mask, .sha256 = found->raw, .known = true};
    return true;
}

int store_learn(void *ctx, const struct disk_segment *segment, struct err *err)
{
    struct store *store = ctx;
    struct known_segment known = {.raw = segment->sha256, .mask = segment->mask};
    if (!store->cache || !origin_of(store, segment->number, &known.origin))
        return 0;
    if (!store_grow((void **)&store->fresh.known, &store->learned_capacity, store->fresh.known_count,
                    sizeof *store->fresh.known))
        return err_oom(err);
    store->fresh.known[store->fresh.known_count++] = known;
    return 0;
}

const struct cached_segment *store_find(const struct store *store, const struct disk_segment *segment)
{
    const struct cached_segment wanted = {.record = {.raw = segment->sha256}};
    const struct cached_segment *found =
        store->item_count ? bsearch(&wanted, store->items, store->item_count, sizeof *store->items, by_raw)
                          : NULL;
    return found && found->record.raw_len == segment_data_len(segment) &&
                   !atomic_load(&store->entries[found->entry].damaged)
               ? found
               : NULL;
}

int store_fd(const struct store *store, const struct cached_segment *cached)
{
    return store->entries[cached->entry].fd;
}

bool store_read(struct store *store, const struct cached_segment *cached, unsigned char *out)
{
    struct store_entry *entry = &store->entries[cached->entry];
    const struct segment_record *record = &cached->record;
    struct err ignored;
    if (file_pread(entry->fd, out, record->packed_len, record->off, "segments", &ignored) == 0 &&
        crc32c_add(0, out, record->packed_len) == record->crc32c)
        return true;
    if (!atomic_exchange(&entry->damaged, true))
        run_warn(store->run, "pack", "the cache's segment/%.40s is damaged and will be dropped", entry->key);
    return false;
}
