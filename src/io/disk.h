/* A disk: random access to a sparse raw image. The seam that lets tests hand the stages memory instead of a
 * file.
 *
 * In:    offsets and lengths in bytes.
 * Out:   whole transfers.
 * Fails: ERR_LAYOUT when the range is outside the disk, ERR_IO or ERR_SPACE from below.
 * Owns:  the descriptor or memory, until disk_close().
 */
#ifndef BAKE_IO_DISK_H
#define BAKE_IO_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/run.h"

struct disk;

struct disk_ops {
    int (*read)(const struct disk *disk, void *bytes, size_t len, uint64_t off, struct err *err);
    int (*write)(struct disk *disk, const void *bytes, size_t len, uint64_t off, struct err *err);
    void (*close)(struct disk *disk);
};

struct disk {
    const struct disk_ops *ops; /* NULL when empty */
    uint64_t size;              /* bytes */
    int fd; /* regular file, read-write; -1 for a disk in memory. Libraries that want a path get
               disk_path(). */
    unsigned char *memory; /* disks in memory only */
};
#define DISK_EMPTY                                                                                           \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

/* Takes ownership of FD. */
must_check int disk_from_fd(int fd, struct disk *ret, struct err *err);
/* Zeroed, SIZE bytes at most 1 GiB. */
must_check int disk_in_memory(uint64_t size, struct disk *ret, struct err *err);

must_check int disk_read(const struct disk *disk, void *bytes, size_t len, uint64_t off, struct err *err);
must_check int disk_write(struct disk *disk, const void *bytes, size_t len, uint64_t off, struct err *err);
/* Grows (never shrinks) the disk; the new part reads as zeros. File disks only. */
must_check int disk_grow(struct disk *disk, uint64_t size, struct err *err);

enum { DISK_PATH_CAP = 32 };
/* "/proc/self/fd/N": a path for libraries that insist on one. */
void disk_path(const struct disk *disk, char out[static DISK_PATH_CAP]);

void disk_close(struct disk *disk);
#define cleanup_disk cleanup(disk_close)

#endif
