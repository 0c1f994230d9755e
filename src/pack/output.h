/* The archive being written: gzip's and tar's frames, segments in their order, and every sum that is taken on the way.
 *
 * In:    packed segments with their records; a descriptor, a new regular file.
 * Out:   struct packed.
 * Fails: ERR_SPACE, ERR_IO, ERR_INTERRUPTED.
 * Owns:  its sums and the list of segments until output_free(); the descriptor is the caller's.
 *
 * Each segment is first shown to output_hash(), then appended: by one thread each, in order. What the cache's file has is
 * not written but copied, neighbours in one go, for which a file system that can shares their blocks.
 */
#ifndef BAKE_PACK_OUTPUT_H
#define BAKE_PACK_OUTPUT_H

#include "pack/segment/worker_scratch.h"
#include "pack/pack.h"

struct pending { /* to be copied, to the archive's end */
    int fd;
    uint64_t from, len; /* bytes of that file */
};

struct output {
    int fd;
    struct pack_sink sink;
    const struct run *run;
    struct packed packed;
    struct hasher sha256;
    struct pending pending;
    uint32_t crc;      /* CRC-32 of the tar so far */
    uint64_t tar_size; /* bytes of the tar so far */
    uint64_t flushed;  /* bytes of the archive that are on their way to the disk */
    uint64_t dropped;  /* and those that need not stay in memory */
};

/* For SEGMENTS of them, and the two frames. */
must_check int output_begin(struct output *output, int fd, size_t segments, const struct pack_sink *sink,
                            const struct run *run, struct err *err);
void output_free(struct output *output);

/* Bytes of the archive, in order. */
must_check int output_hash(struct output *output, const unsigned char *bytes, const struct record *record,
                           struct err *err);
/* FROM: a file that has them at record->off, or -1: BYTES. They hold RAW_LEN bytes of the disk at RAW_OFF. */
must_check int output_append(struct output *output, const unsigned char *bytes, const struct record *record,
                             int from, uint64_t raw_off, uint64_t raw_len, struct err *err);

/* The first segment, gzip's and tar's header; and the last one, their ends. Both are hashed here, too. */
must_check int output_head(struct output *output, const struct sparse *sparse, int64_t epoch,
                           enum deflate_engine engine, struct err *err);
must_check int output_end(struct output *output, enum deflate_engine engine, struct err *err);

#endif
