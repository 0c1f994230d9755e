#include "unpack/disk_writer.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include <isa-l/mem_routines.h>

#include "io/file.h"

enum { FLUSH = 32 << 20 /* bytes between two calls of start_writeback() */ };

/* Starts writing to the device early, so that the fsync at the end is short. */
static void start_writeback(struct disk_writer *writer)
{
    if (writer->data - writer->flushed < FLUSH)
        return;
    sync_file_range(writer->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    writer->flushed = writer->data;
}

/* LEN bytes at OFF, which hold data. */
static int write_run(struct disk_writer *writer, const unsigned char *bytes, size_t len, uint64_t off,
                     struct err *err)
{
    writer->data += len;
    if (writer->data > writer->data_max)
        return err_set(err, ERR_VERIFY, 0,
                       "%s: it unpacks to more than %llu bytes of data, too many for an archive of its size: "
                       "it looks like a decompression bomb",
                       writer->name, (unsigned long long)writer->data_max);
    start_writeback(writer);
    if (sums_add(writer->sums, bytes, len, off, err) < 0)
        return -1;
    return file_pwrite(writer->fd, bytes, len, off, "the cache", err);
}

static bool is_zeros(const unsigned char *bytes, size_t len)
{
    return isal_zero_detect((void *)(uintptr_t)bytes, len) == 0;
}

static int write_block(struct disk_writer *writer, size_t len, uint64_t off, struct err *err)
{
    return is_zeros(writer->block, len) ? 0 : write_run(writer, writer->block, len, off, err);
}

/* COUNT whole blocks: one write for each run of blocks that hold data. */
static int write_blocks(struct disk_writer *writer, const unsigned char *bytes, size_t count, uint64_t off,
                        struct err *err)
{
    for (size_t i = 0; i < count;) {
        size_t from = i;
        while (i < count && !is_zeros(bytes + i * DISK_SUM_BLOCK, DISK_SUM_BLOCK))
            i++;
        if (i > from && write_run(writer, bytes + from * DISK_SUM_BLOCK, (i - from) * DISK_SUM_BLOCK,
                                  off + from * DISK_SUM_BLOCK, err) < 0)
            return -1;
        i += i < count;
    }
    return 0;
}

int disk_writer_end(struct disk_writer *writer, struct err *err)
{
    size_t len = (size_t)(writer->at % DISK_SUM_BLOCK);
    if (len == 0)
        return 0;
    return write_block(writer, len, writer->at - len, err);
}

int disk_writer_hole(struct disk_writer *writer, uint64_t to, struct err *err)
{
    size_t used = (size_t)(writer->at % DISK_SUM_BLOCK);
    if (used != 0) {
        size_t left = DISK_SUM_BLOCK - used;
        size_t step = to - writer->at < left ? (size_t)(to - writer->at) : left;
        memset(writer->block + used, 0, step);
        writer->at += step;
        if (used + step == DISK_SUM_BLOCK &&
            write_block(writer, DISK_SUM_BLOCK, writer->at - DISK_SUM_BLOCK, err) < 0)
            return -1;
    }
    uint64_t whole = (to - writer->at) / DISK_SUM_BLOCK * DISK_SUM_BLOCK;
    writer->at += whole;
    size_t rest = (size_t)(to - writer->at);
    memset(writer->block + writer->at % DISK_SUM_BLOCK, 0, rest);
    writer->at = to;
    return 0;
}

int disk_writer_add(struct disk_writer *writer, const unsigned char *bytes, size_t len, struct err *err)
{
    while (len > 0) {
        size_t used = (size_t)(writer->at % DISK_SUM_BLOCK), step = DISK_SUM_BLOCK - used;
        if (used == 0 && len >= DISK_SUM_BLOCK) { /* no copy */
            step = len / DISK_SUM_BLOCK * DISK_SUM_BLOCK;
            if (write_blocks(writer, bytes, step / DISK_SUM_BLOCK, writer->at, err) < 0)
                return -1;
        } else {
            step = step < len ? step : len;
            memcpy(writer->block + used, bytes, step);
            if (used + step == DISK_SUM_BLOCK &&
                write_block(writer, DISK_SUM_BLOCK, writer->at - used, err) < 0)
                return -1;
        }
        writer->at += step;
        bytes += step;
        len -= step;
    }
    return 0;
}
