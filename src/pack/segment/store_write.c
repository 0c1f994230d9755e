/* Writes deflated segments into the cache. */
#include <string.h>

#include "io/file.h"
#include "pack/segment/store_internal.h"
#include "text/hex.h"

/* Packing goes on without the new entry; only an interruption ends it. */
static int give_up(struct store *store, const struct err *why, struct err *err)
{
    if (why->kind == ERR_INTERRUPTED) {
        *err = *why;
        return -1;
    }
    cache_abort(&store->writing);
    store->open = false;
    run_warn(store->run, "pack", "cannot keep segments for the next bake: %s", why->text);
    return 0;
}

static bool all_there(const struct store *store, const struct sparse *sparse)
{
    for (size_t i = 0; i < sparse->count; i++)
        if (!store_find(store, &sparse->segments[i]))
            return false;
    return true;
}

/* Uses the entry when another run has just made it. */
static int begin_entry(struct store *store, const char *name, struct err *err)
{
    char key[80];
    struct err why = {0};
    snprintf(key, sizeof key, "%s-%.32s", store->prefix, name);
    bool damaged = false;
    for (unsigned i = 0; i < store->entry_count; i++)
        damaged =
            damaged || (strcmp(store->entries[i].key, key) == 0 && atomic_load(&store->entries[i].damaged));
    int r = damaged ? cache_begin_anew(store->cache, store_kind, key, &store->writing, store->run, &why)
                    : cache_begin(store->cache, store_kind, key, &store->writing, store->run, &why);
    if (r < 0)
        return give_up(store, &why, err);
    if (store->writing.found_fd >= 0) {
        r = store_take_entry(store, key, &store->writing.found_fd, err);
        store_sort(store);
        return r;
    }
    store->open = true;
    return hasher_init(&store->hasher, DIGEST_SHA256, err);
}

int store_begin(struct store *store, const struct sparse *sparse, const struct sha256 *tree, struct err *err)
{
    char hex[SHA256_HEX];
    if (!store->cache || all_there(store, sparse))
        return 0;
    hex_encode(tree->bytes, SHA256_SIZE, hex);
    store->whole = store->entry_count >= STORE_ENTRIES_MAX;
    return begin_entry(store, hex, err);
}

int store_begin_precompress(struct store *store, struct err *err)
{
    return store->cache && store->entry_count < STORE_ENTRIES_MAX ? begin_entry(store, "ahead", err) : 0;
}

static int write_to_entry(struct store *store, const void *bytes, size_t len, struct err *err)
{
    return file_write(store->writing.fd, bytes, len, "the segment cache", err) < 0 ||
                   hasher_add(&store->hasher, bytes, len, err) < 0
               ? -1
               : 0;
}

int store_add(struct store *store, const struct segment_record *record, const unsigned char *packed,
              struct err *err)
{
    struct err why = {0};
    if (!store->open)
        return 0;
    if (!store_grow((void **)&store->fresh.records, &store->fresh_capacity, store->fresh.record_count,
                    sizeof *store->fresh.records))
        return err_oom(err);
    if (write_to_entry(store, packed, record->packed_len, &why) < 0)
        return give_up(store, &why, err);
    store->fresh.records[store->fresh.record_count++] = *record;
    store->written += record->packed_len;
    return 0;
}

/* A whole entry also gets the known segments of older entries that this bake used. */
static int join_known(struct store *store, struct err *err)
{
    struct segindex *fresh = &store->fresh;
    for (size_t i = 0; store->whole && i < store->known_count; i++) {
        if (!store->known[i].used)
            continue;
        if (!store_grow((void **)&fresh->known, &store->learned_capacity, fresh->known_count,
                        sizeof *fresh->known))
            return err_oom(err);
        fresh->known[fresh->known_count++] = store->known[i];
    }
    if (fresh->known_count > 0)
        qsort(fresh->known, fresh->known_count, sizeof *fresh->known, store_by_origin);
    size_t kept = 0; /* one for each origin */
    for (size_t i = 0; i < fresh->known_count; i++)
        if (kept == 0 || store_by_origin(&fresh->known[kept - 1], &fresh->known[i]) != 0)
            fresh->known[kept++] = fresh->known[i];
    fresh->known_count = kept;
    return 0;
}

static int commit_entry(struct store *store, struct err *err)
{
    cleanup_buf struct buf index = BUF_INIT(SEGINDEX_MAX);
    cleanup_close int fd = -1;
    struct sha256 sha256;
    segindex_write(&store->fresh, store->written, &index);
    if (buf_check(&index, "the index of segments", err) < 0 ||
        write_to_entry(store, index.data, index.len, err) < 0 ||
        hasher_end(&store->hasher, sha256.bytes, err) < 0)
        return -1;
    return cache_commit_unsynced(&store->writing, &sha256, &fd, err);
}

int store_commit(struct store *store, struct err *err)
{
    struct err why = {0};
    if (!store->cache)
        return 0;
    char made[80] = "";
    bool replaces = false;
    if (store->open) {
        snprintf(made, sizeof made, "%s", store->writing.key);
        if (join_known(store, err) < 0)
            return -1;
        if (commit_entry(store, &why) < 0) {
            made[0] = '\0';
            if (give_up(store, &why, err) < 0)
                return -1;
        } else {
            replaces = store->whole;
        }
        store->open = false;
    }
    for (unsigned i = 0; i < store->entry_count; i++) {
        struct store_entry *entry = &store->entries[i];
        if ((replaces || atomic_load(&entry->damaged)) && strcmp(entry->key, made) != 0 &&
            cache_drop(store->cache, store_kind, entry->key, store->run, &why) < 0 &&
            why.kind == ERR_INTERRUPTED) {
            *err = why;
            return -1;
        }
    }
    return 0;
}
