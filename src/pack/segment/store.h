/* The segment cache: packed segments by content, and known segments of a view by the origin of their bytes
 * (parts of the base and of files mapped into it). Known segments need not be read.
 *
 * In:    a cache; a disk, and the digest of the base that it is a view of.
 * Out:   packed segments, each checked against its CRC-32C when it is read.
 * Fails: only when out of memory or interrupted. A cache that is damaged, or cannot be read or written, costs
 *        time and a warning, but the bake succeeds.
 * Owns:  descriptors of the entries it uses, which stay valid when another process trims the cache.
 * Never: returns a wrong segment: the cache checks each entry (identity of the file, or its SHA-256), and the
 *        index and each segment have a CRC-32C.
 *
 * One entry of kind "segment" holds all that one bake deflated (pack/segment/segindex.h): opening hundreds of
 * small files would cost more than deflating again. All entries of one base and engine share the first 32
 * digits of their keys. When there are STORE_ENTRIES_MAX of them, the next bake writes one entry with every
 * segment it uses, and drops the others.
 */
#ifndef BAKE_PACK_SEGMENT_STORE_H
#define BAKE_PACK_SEGMENT_STORE_H

#include <stdatomic.h>

#include "cache/cache.h"
#include "pack/segment/deflate.h"
#include "pack/segment/segindex.h"

enum { STORE_ENTRIES_MAX = 16 };

struct cached_segment { /* one packed segment in the cache */
    struct segment_record record;
    unsigned entry;
};

struct store_entry {
    char key[80];
    int fd;
    atomic_bool damaged;
};

struct store {
    struct cache *cache;
    const struct run *run;
    char prefix[33];
    struct store_entry entries[2 * STORE_ENTRIES_MAX];
    unsigned entry_count;
    struct cached_segment *items; /* sorted by raw */
    size_t item_count, item_capacity;
    struct known_segment *known; /* sorted by origin */
    size_t known_count, known_capacity;
    const struct disk *view; /* of the entries' base; NULL: no segment is known */
    struct segindex fresh;   /* the index of the new entry */
    size_t fresh_capacity, learned_capacity;
    /* the entry being written */
    struct cache_entry writing;
    struct hasher hasher;
    uint64_t written;
    bool open, whole; /* whole: gets every segment this bake uses, not only new ones */
};

/* Reads the indexes of all entries. With CACHE NULL the store stays empty. */
must_check int store_init(struct store *store, struct cache *cache, const struct disk *disk,
                          const struct sha256 *base, enum deflate_engine engine, const struct run *run,
                          struct err *err);
void store_free(struct store *store);
#define cleanup_store cleanup(store_free)

/* For sparse_scan(). */
bool store_known(void *ctx, uint32_t segment, struct disk_segment *ret);
must_check int store_learn(void *ctx, const struct disk_segment *segment, struct err *err);

/* NULL when it is not in the cache. */
const struct cached_segment *store_find(const struct store *store, const struct disk_segment *segment);

/* Starts an entry for the missing segments; called once the disk's segments are known and before anything is
 * deflated. When another run is packing the same disk, waits for it and uses its segments. */
must_check int store_begin(struct store *store, const struct sparse *sparse, const struct sha256 *tree,
                           struct err *err);

/* The same for segments deflated before packing, under a separate name: one entry for each base. Starts
 * nothing when there are STORE_ENTRIES_MAX entries. */
must_check int store_begin_precompress(struct store *store, struct err *err);

/* Reads a segment into OUT. False when it is damaged and must be deflated again. Any thread may call it. */
bool store_read(struct store *store, const struct cached_segment *cached, unsigned char *out);

/* The file that holds the segment, at record.off. The store owns it. */
int store_fd(const struct store *store, const struct cached_segment *cached);

/* Adds a segment to the new entry: a newly deflated one or, for a whole entry, any that is used. Called from
 * one thread. */
must_check int store_add(struct store *store, const struct segment_record *record,
                         const unsigned char *packed, struct err *err);
/* Commits the new entry, and drops damaged entries and those that a whole entry replaces. */
must_check int store_commit(struct store *store, struct err *err);

#endif
