/* The disk becomes NAME.tar.gz, the form that GCE imports.
 *
 * In:    a disk of whole GiB; a descriptor to write to (a new, empty regular file); optionally a cache, and,
 *        when the disk is a view of a base, which one.
 * Out:   one gzip member (RFC 1952; no FEXTRA, no name, time 0, OS 255) holding one oldgnu sparse member
 *        (GNU tar manual, "Old GNU Format") disk.raw, mode 0644, owner 0:0; struct packed about it.
 * Fails: ERR_LAYOUT when the disk is not of whole GiB; ERR_SPACE, ERR_IO, ERR_INTERRUPTED;
 *        ERR_VERIFY when a file that was grafted into the disk changed meanwhile. What was written
 *        by then is the caller's to drop. What is wrong with the cache is a warning.
 * Owns:  the caller owns the descriptor and struct packed.
 * Never: depends on the number of threads, on where the file system has holes, on the processor, on the
 *        time, or on what is in the cache.
 *
 * The format: the disk is looked at in blocks of PACK_BLOCK, those of zeros alone are holes. The archive is
 * the concatenation of segments: gzip and tar headers; one for each aligned PACK_SEGMENT of the disk that
 * holds data; the tar's end and gzip's trailer. Each is deflated on its own (no reference to bytes before it)
 * and, but for the last, filled up by empty blocks to whole blocks of a file system (0.6 % of the archive), so
 * that what comes from the cache is shared with it where the file system can, and not written. So a segment
 * depends on its own bytes only and is cached under their digest
 * (pack/segment/store.h). What is to be kept there is inflated by another routine and compared right after it was deflated:
 * it will be used for ever. (It costs a quarter of a first bake's processor time and nothing later; reading the
 * whole archive back cost twice that, every time, and is pack_check() now.) Sums of the archive are joined from
 * those of its segments or taken beside the deflating, so nothing is read a second time.
 */
#ifndef BAKE_PACK_PACK_H
#define BAKE_PACK_PACK_H

#include "base/run.h"
#include "cache/cache.h"
#include "disk/disk.h"
#include "pack/types.h"

enum { PACK_BLOCK = 64 << 10, PACK_SEGMENT = 1 << 20, PACK_THREADS_MAX = 12 };

/* Told of each segment as the archive gets it, in order, on one thread: push may send it at once. */
struct pack_sink {
    void (*take)(void *ctx, const unsigned char *bytes, size_t len, const struct sha256 *sha256,
                 uint32_t crc32c);
    void *ctx;
};

/* Asked when the archive is whole, before any segment is kept: less than 0, with err, when it must not be. */
struct pack_approval {
    int (*fn)(void *ctx, struct err *err);
    void *ctx;
};

struct pack_options {
    unsigned threads;    /* 0: as many as there are processors */
    int64_t epoch;       /* the member's time: seconds since 1970, not negative */
    bool small;          /* a smaller archive that takes longer to make */
    struct cache *cache; /* where packed segments are kept; may be NULL */
    const struct sha256
        *base;             /* names the content of what the disk is a view of (disk/disk.h); may be NULL */
    struct pack_sink sink; /* take may be NULL */
    struct pack_approval approve; /* fn may be NULL */
};

must_check int pack_disk(const struct disk *disk, const struct pack_options *options, int out_fd,
                         const struct run *run, struct packed *ret, struct err *err);

/* Reads the archive back by another decoder (zlib) and a reader of its own, and compares every byte with the
 * disk: ERR_VERIFY, with the offset, when anything differs. */
must_check int pack_check(int fd, const struct packed *packed, const struct disk *disk, const struct run *run,
                          struct err *err);

/* Counts up when the same disk gives another archive though its segments are the same: with pack_engine() part of what
 * determines the bytes. 2: the map always ends with an empty piece. */
enum { PACK_FORM = 2 };

/* Names the deflate engine and its version, "isa-l 2.30 level 2": part of what determines the bytes.
 * Static. */
const char *pack_engine(bool small);

#endif
