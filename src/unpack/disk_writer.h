/* Writes a disk as a sparse file: blocks of zeros become holes, and each MiB gets a CRC-32C.
 *
 * In:    data and holes, in order, from byte 0.
 * Fails: ERR_VERIFY over `data_max`; ERR_SPACE, ERR_IO from the file.
 */
#ifndef BAKE_UNPACK_DISK_WRITER_H
#define BAKE_UNPACK_DISK_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "task/progress.h"
#include "unpack/sums.h"

/* The caller sets fd, data_max, sums, name and progress; the rest starts as zeros. */
struct disk_writer {
    int fd;            /* a new file */
    uint64_t at;       /* bytes of the disk so far, holes included */
    uint64_t data;     /* bytes of them written, without holes */
    uint64_t data_max; /* more data than this counts as a decompression bomb */
    uint64_t flushed;  /* the value of `data` at the last start_writeback() */
    struct sums *sums;
    const char *name;                    /* for messages */
    struct progress *progress;           /* of the disk; may be NULL */
    unsigned char block[DISK_SUM_BLOCK]; /* the block that `at` is in, so far */
};

must_check int disk_writer_add(struct disk_writer *writer, const unsigned char *bytes, size_t len,
                               struct err *err);
/* A hole from `at` up to TO. */
must_check int disk_writer_hole(struct disk_writer *writer, uint64_t to, struct err *err);
/* Writes the last block, if it is not whole. The caller sets the file's size. */
must_check int disk_writer_end(struct disk_writer *writer, struct err *err);

#endif
