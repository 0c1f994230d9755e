/* The segment cache: packed segments by content, and what is known of a view's segments by where their bytes came from: parts
 * of the base, and of files that lie in it. What is known is not read.
 *
 * In:    a cache; a disk, and the digest of the base that it is a view of.
 * Out:   packed segments, each checked against its CRC-32C when it is read.
 * Fails: only when out of memory or interrupted. A cache that cannot be read or written, or is damaged, costs time and
 *        a warning, never the package.
 * Owns:  descriptors of the entries it uses: they stay good when the cache is pruned meanwhile.
 * Never: gives out a segment that is not the one asked for: an entry is taken by the cache's rules (identity of the
 *        file, or its SHA-256), its index has a CRC-32C, and so has each segment.
 *
 * One entry of kind "segment" holds what one bake deflated (pack/segment/segindex.h): hundreds of small files would cost more
 * to open than to deflate. All entries of one base and engine share the first 32 digits of their keys. When there
 * are STORE_ENTRIES_MAX of them, the next bake writes one with all that it uses, and drops the others.
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
    const struct disk *view; /* of the base that the entries are about; NULL: nothing is known */
    struct segindex fresh;   /* what the new entry will say */
    size_t fresh_capacity, learned_capacity;
    /* the entry being written */
    struct cache_entry writing;
    struct hasher hasher;
    uint64_t written;
    bool open, whole; /* whole: with all that this bake uses, not only with what is new */
};

/* Reads the indexes of all entries there are. CACHE NULL: an empty store that keeps nothing. */
must_check int store_init(struct store *store, struct cache *cache, const struct disk *disk,
                          const struct sha256 *base, enum deflate_engine engine, const struct run *run,
                          struct err *err);
void store_free(struct store *store);
#define cleanup_store cleanup(store_free)

/* For sparse_scan(). */
bool store_known(void *ctx, uint32_t segment, struct disk_segment *ret);
must_check int store_learn(void *ctx, const struct disk_segment *segment, struct err *err);

/* NULL when there is none. */
const struct cached_segment *store_find(const struct store *store, const struct disk_segment *segment);

/* Once the disk is known, before anything is deflated: makes ready to keep what is missing. Another run that packs the
 * same disk right now is waited for, and its segments are then used. */
must_check int store_begin(struct store *store, const struct sparse *sparse, const struct sha256 *tree,
                           struct err *err);

/* The same for what is deflated ahead of a bake, under a name of its own: one entry for each base. Nothing is begun when there are
 * STORE_ENTRIES_MAX entries. */
must_check int store_begin_precompress(struct store *store, struct err *err);

/* Reads one to OUT. False when it is damaged: it has to be deflated again. From any thread. */
bool store_read(struct store *store, const struct cached_segment *cached, unsigned char *out);

/* The file that holds it, at record.off; the store's own. */
int store_fd(const struct store *store, const struct cached_segment *cached);

/* Keeps a segment that was deflated now, or, for a whole entry, one that is used. From one thread. */
must_check int store_add(struct store *store, const struct segment_record *record,
                         const unsigned char *packed, struct err *err);
/* What was kept becomes an entry; damaged entries, and those that a whole new one replaces, are dropped. */
must_check int store_commit(struct store *store, struct err *err);

#endif
