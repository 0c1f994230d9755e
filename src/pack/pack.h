/* Turns the disk into NAME.tar.gz, the format that GCE imports. pack/types.h defines the terms.
 *
 * In:    a disk of a whole number of GiB; a descriptor to write to (a new, empty regular file); optionally a
 *        cache, and, when the disk is a view of a base, the digest of that base.
 * Out:   one gzip member (RFC 1952; no FEXTRA, no name, time 0, OS 255) that holds one oldgnu sparse member
 *        (GNU tar manual, "Old GNU Format") disk.raw, mode 0644, owner 0:0; struct packed about it.
 * Fails: ERR_LAYOUT when the disk is not a whole number of GiB; ERR_USAGE for a negative epoch; ERR_SPACE,
 *        ERR_IO, ERR_INTERRUPTED; ERR_VERIFY when a file that is mapped into the disk changed while it was
 *        packed. After an error the caller deletes the partial file. A failing cache is only a warning.
 * Owns:  the caller owns the descriptor and struct packed.
 * Never: depends on the number of threads, on where the file system has holes, on the processor, on the time,
 *        or on what the cache holds.
 *
 * The archive is the concatenation of its segments: a frame with the gzip and tar headers; one for each
 * PACK_SEGMENT of the disk that holds data; a frame with the end of the tar and gzip's trailer. None refers
 * to bytes before it, and all but the last are padded with empty deflate blocks to whole file-system blocks
 * (0.6 % of the archive), so that a file system with reflinks shares the cache's blocks instead of writing
 * them again. A segment depends only on its own bytes and is cached under their digest
 * (pack/segment/store.h). Since later bakes reuse a cached segment, it is first inflated by another decoder
 * and compared. That costs a quarter of the processor time of a first bake and nothing later; reading the
 * whole archive back with pack_check() costs twice as much every time. The archive's checksums are combined
 * from those of its segments or computed while they are deflated, so nothing is read twice.
 */
#ifndef BAKE_PACK_PACK_H
#define BAKE_PACK_PACK_H

#include "base/run.h"
#include "cache/cache.h"
#include "disk/disk.h"
#include "pack/types.h"

/* Receives each segment as it enters the archive, in order, on one thread, so that an upload can send it
 * right away. */
struct pack_sink {
    void (*take)(void *ctx, const unsigned char *bytes, size_t len, const struct sha256 *sha256,
                 uint32_t crc32c);
    void *ctx;
};

/* Called when the archive is complete, before its segments enter the cache. A negative result, with err set,
 * rejects the archive and its segments. */
struct pack_approval {
    int (*fn)(void *ctx, struct err *err);
    void *ctx;
};

struct pack_options {
    unsigned threads;             /* 0: one for each processor */
    int64_t epoch;                /* the member's time: seconds since 1970, not negative */
    bool small;                   /* smaller archive, but slower */
    struct cache *cache;          /* where segments are kept; may be NULL */
    const struct sha256 *base;    /* digest of the base that the disk is a view of; may be NULL */
    struct pack_sink sink;        /* take may be NULL */
    struct pack_approval approve; /* fn may be NULL */
};

must_check int pack_disk(const struct disk *disk, const struct pack_options *options, int out_fd,
                         const struct run *run, struct packed *ret, struct err *err);

/* Reads the archive back with another decoder (zlib) and a separate tar reader, and compares every byte with
 * the disk: ERR_VERIFY, with the offset, when anything differs. */
must_check int pack_check(int fd, const struct packed *packed, const struct disk *disk, const struct run *run,
                          struct err *err);

/* The version of the archive's form, raised when the same segments would give a different archive. Together
 * with pack_engine() it determines the bytes. 2: the sparse map always ends with an empty entry. */
enum { PACK_FORM = 2 };

/* The deflate engine and its version, such as "isa-l 2.30 level 2". Static. */
const char *pack_engine(bool small);

#endif
