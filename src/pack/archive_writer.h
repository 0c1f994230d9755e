/* The archive being written: gzip's and tar's frames, segments in their order, and every sum that is taken on the way.
 *
 * In:    packed segments with their records; a descriptor, a new regular file.
 * Out:   struct packed.
 * Fails: ERR_SPACE, ERR_IO, ERR_INTERRUPTED.
 * Owns:  its sums and the list of segments until archive_writer_free(); the descriptor is the caller's.
 *
 * Each segment is first shown to archive_writer_hash(), then appended: by one thread each, in order. What the cache's file has is
 * not written but copied, neighbours in one go, for which a file system that can shares their blocks.
 */
#ifndef BAKE_PACK_ARCHIVE_WRITER_H
#define BAKE_PACK_ARCHIVE_WRITER_H

#include "pack/segment/worker_scratch.h"
#include "pack/pack.h"

struct pending { /* to be copied, to the archive's end */
    int fd;
    uint64_t from, len; /* bytes of that file */
};

struct archive_writer {
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
must_check int archive_writer_begin(struct archive_writer *writer, int fd, size_t segments,
                                    const struct pack_sink *sink, const struct run *run, struct err *err);
void archive_writer_free(struct archive_writer *writer);

/* Bytes of the archive, in order. */
must_check int archive_writer_hash(struct archive_writer *writer, const unsigned char *bytes,
                                   const struct segment_record *record, struct err *err);
/* FROM: a file that has them at record->off, or -1: BYTES. They hold RAW_LEN bytes of the disk at RAW_OFF. */
must_check int archive_writer_append(struct archive_writer *writer, const unsigned char *bytes,
                                     const struct segment_record *record, int from, uint64_t raw_off,
                                     uint64_t raw_len, struct err *err);

/* The first segment, gzip's and tar's header; and the last one, their ends. Both are hashed here, too. */
must_check int archive_writer_head(struct archive_writer *writer, const struct sparse *sparse, int64_t epoch,
                                   enum deflate_engine engine, struct err *err);
must_check int archive_writer_end(struct archive_writer *writer, enum deflate_engine engine, struct err *err);

#endif
