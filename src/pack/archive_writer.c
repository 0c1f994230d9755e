#include "pack/archive_writer.h"

#include <fcntl.h>
#include <string.h>

#include <isa-l/crc.h>
#include <zlib.h>

#include "io/crc32c.h"
#include "io/file.h"
#include "pack/archive/tarhead.h"

enum { GZIP_HEAD = 10, GZIP_TAIL = 8 };
static const uint64_t WRITEBACK = UINT64_C(16) << 20;   /* bytes written before writeback is started again */
static const uint64_t DROP_BEHIND = UINT64_C(64) << 20; /* bytes that may be under writeback */
static const uint64_t RUN_MAX = UINT64_C(16) << 20;     /* bytes copied from the cache at a time */

int archive_writer_begin(struct archive_writer *writer, int fd, size_t segments, const struct pack_sink *sink,
                         const struct run *run, struct err *err)
{
    writer->fd = fd;
    writer->sink = *sink;
    writer->run = run;
    writer->packed.segments = calloc(segments + 2, sizeof *writer->packed.segments);
    return writer->packed.segments ? hasher_init(&writer->sha256, DIGEST_SHA256, err) : err_oom(err);
}

void archive_writer_free(struct archive_writer *writer)
{
    hasher_free(&writer->sha256);
    packed_free(&writer->packed);
}

/* Starts writeback early so that the final fsync is short, and drops written pages from memory, since the
 * archive is not read again here. Does not block. */
static void start_writeback(struct archive_writer *writer, uint64_t written)
{
    if (written - writer->flushed < WRITEBACK)
        return;
    sync_file_range(writer->fd, (off_t)writer->flushed, (off_t)(written - writer->flushed),
                    SYNC_FILE_RANGE_WRITE);
    writer->flushed = written;
    if (written - writer->dropped > DROP_BEHIND) {
        uint64_t end = written - DROP_BEHIND;
        posix_fadvise(writer->fd, (off_t)writer->dropped, (off_t)(end - writer->dropped),
                      POSIX_FADV_DONTNEED);
        writer->dropped = end;
    }
}

static int copy_pending(struct archive_writer *writer, struct err *err)
{
    struct pending *pending = &writer->pending;
    uint64_t len = pending->len, end = writer->packed.archive_size;
    pending->len = 0;
    if (len == 0)
        return 0;
    if (file_copy(pending->fd, pending->from, writer->fd, end - len, len, writer->run, err) < 0)
        return -1;
    start_writeback(writer, end);
    return 0;
}

static int append_bytes(struct archive_writer *writer, const unsigned char *bytes,
                        const struct segment_record *record, int from, struct err *err)
{
    struct pending *pending = &writer->pending;
    bool continues = pending->len > 0 && pending->fd == from && pending->from + pending->len == record->off;
    if ((!continues || pending->len >= RUN_MAX) && copy_pending(writer, err) < 0)
        return -1;
    if (from < 0) {
        if (file_pwrite(writer->fd, bytes, record->packed_len, writer->packed.archive_size, "the archive",
                        err) < 0)
            return -1;
        start_writeback(writer, writer->packed.archive_size + record->packed_len);
        return 0;
    }
    if (pending->len == 0)
        *pending = (struct pending){.fd = from, .from = record->off};
    pending->len += record->packed_len;
    return 0;
}

int archive_writer_append(struct archive_writer *writer, const unsigned char *bytes,
                          const struct segment_record *record, int from, uint64_t raw_off, uint64_t raw_len,
                          struct err *err)
{
    struct packed *packed = &writer->packed;
    if (append_bytes(writer, bytes, record, from, err) < 0)
        return -1;
    packed->segments[packed->segment_count++] = (struct segment){.raw_off = raw_off,
                                                                 .raw_len = raw_len,
                                                                 .packed_off = packed->archive_size,
                                                                 .packed_len = record->packed_len,
                                                                 .packed_sha256 = record->sha256,
                                                                 .packed_crc32c = record->crc32c};
    packed->archive_crc32c = crc32c_join(packed->archive_crc32c, record->crc32c, record->packed_len);
    packed->archive_size += record->packed_len;
    writer->crc = (uint32_t)crc32_combine(writer->crc, record->crc, (z_off_t)record->raw_len);
    writer->tar_size += record->raw_len;
    return 0;
}

int archive_writer_hash(struct archive_writer *writer, const unsigned char *bytes,
                        const struct segment_record *record, struct err *err)
{
    if (writer->sink.take)
        writer->sink.take(writer->sink.ctx, bytes, record->packed_len, &record->sha256, record->crc32c);
    return hasher_add(&writer->sha256, bytes, record->packed_len, err);
}

/* A frame, the first or last segment: PREFIX, RAW deflated and, in the last, gzip's trailer. */
static int append_frame(struct archive_writer *writer, enum deflate_engine engine, const void *prefix,
                        size_t prefix_len, const void *raw, size_t raw_len, bool last, struct err *err)
{
    size_t capacity = deflate_bound(raw_len), len = 0;
    cleanup_free unsigned char *out = malloc(prefix_len + capacity + GZIP_TAIL);
    cleanup_deflater struct deflater deflater = {0};
    if (!out)
        return err_oom(err);
    if (prefix_len > 0)
        memcpy(out, prefix, prefix_len);
    if (deflater_init(&deflater, engine, err) < 0 ||
        deflate_segment(&deflater, raw, raw_len, last, out + prefix_len, capacity, &len, err) < 0)
        return -1;
    len += prefix_len;
    if (!last)
        len = deflate_fill(out, len);
    struct segment_record record = {.raw_len = (uint32_t)raw_len,
                                    .crc = crc32_gzip_refl(0, (unsigned char *)(uintptr_t)raw, raw_len)};
    if (last) { /* CRC-32, then the size modulo 2^32, little-endian */
        uint32_t crc = (uint32_t)crc32_combine(writer->crc, record.crc, (z_off_t)raw_len);
        uint32_t size = (uint32_t)(writer->tar_size + raw_len);
        for (unsigned i = 0; i < GZIP_TAIL; i++)
            out[len++] = (unsigned char)((i < 4 ? crc : size) >> (8 * (i % 4)));
    }
    record.packed_len = (uint32_t)len;
    record.crc32c = crc32c_add(0, out, len);
    if (sha256_of(out, len, &record.sha256, err) < 0 || archive_writer_hash(writer, out, &record, err) < 0)
        return -1;
    return archive_writer_append(writer, out, &record, -1, last ? writer->packed.disk_size : 0, 0, err);
}

int archive_writer_head(struct archive_writer *writer, const struct sparse *sparse, int64_t epoch,
                        enum deflate_engine engine, struct err *err)
{
    static const unsigned char gzip[GZIP_HEAD] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    cleanup_buf struct buf head = BUF_INIT(TAR_HEAD_MAX);
    if (tar_head(sparse, epoch, &head, err) < 0)
        return -1;
    return append_frame(writer, engine, gzip, sizeof gzip, head.data, head.len, false, err);
}

int archive_writer_end(struct archive_writer *writer, enum deflate_engine engine, struct err *err)
{
    static const unsigned char zeros[TAR_RECORD + 2 * TAR_BLOCK] = {0};
    return append_frame(writer, engine, NULL, 0, zeros, tar_end_size(writer->tar_size), true, err);
}
