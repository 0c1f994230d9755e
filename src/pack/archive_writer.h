/* Writes the archive: the frames, the segments in order, and every checksum taken on the way.
 *
 * In:    packed segments with their records; the descriptor of a new regular file.
 * Out:   struct packed.
 * Fails: ERR_SPACE, ERR_IO, ERR_INTERRUPTED.
 * Owns:  its sums and the list of segments until archive_writer_free(); the descriptor is the caller's.
 *
 * Each segment goes to archive_writer_hash() first and is then appended, both in order, each on one thread.
 * Segments from the cache are copied between files, adjacent ones together, so that a file system with
 * reflinks shares their blocks.
 */
#ifndef BAKE_PACK_ARCHIVE_WRITER_H
#define BAKE_PACK_ARCHIVE_WRITER_H

#include "pack/segment/worker_scratch.h"
#include "pack/pack.h"

struct pending { /* bytes still to be copied to the archive's end */
    int fd;
    uint64_t from, len; /* bytes in that file */
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
    uint64_t flushed;  /* bytes of the archive for which writeback has started */
    uint64_t dropped;  /* bytes of the archive dropped from memory */
};

/* Allocates for SEGMENTS segments and the two frames. */
must_check int archive_writer_begin(struct archive_writer *writer, int fd, size_t segments,
                                    const struct pack_sink *sink, const struct run *run, struct err *err);
void archive_writer_free(struct archive_writer *writer);

/* Hashes the next bytes of the archive. */
must_check int archive_writer_hash(struct archive_writer *writer, const unsigned char *bytes,
                                   const struct segment_record *record, struct err *err);
/* Appends a segment that holds RAW_LEN bytes of the disk at RAW_OFF. FROM is a file that has its packed bytes
 * at record->off; when it is -1, BYTES are written. */
must_check int archive_writer_append(struct archive_writer *writer, const unsigned char *bytes,
                                     const struct segment_record *record, int from, uint64_t raw_off,
                                     uint64_t raw_len, struct err *err);

/* The frames: the first segment with the gzip and tar headers, and the last one with their ends. Both
 * functions also hash what they append. */
must_check int archive_writer_head(struct archive_writer *writer, const struct sparse *sparse, int64_t epoch,
                                   enum deflate_engine engine, struct err *err);
must_check int archive_writer_end(struct archive_writer *writer, enum deflate_engine engine, struct err *err);

#endif
