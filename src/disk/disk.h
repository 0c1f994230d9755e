/* A disk: random access to a sparse raw image, which is a file, memory (for tests), or a view of a base and what lies over it
 * (disk/mapping.h), so that what stays as it is need not be copied.
 *
 * In:    offsets and lengths in bytes.
 * Out:   whole transfers.
 * Fails: ERR_LAYOUT when the range is outside the disk, ERR_IO or ERR_SPACE from below.
 * Owns:  the descriptor or memory, until disk_close().
 */
#ifndef BAKE_DISK_DISK_H
#define BAKE_DISK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/run.h"

struct disk;
struct mapping;
struct file_identity;

struct disk_ops {
    int (*read)(const struct disk *disk, void *bytes, size_t len, uint64_t off, struct err *err);
    int (*write)(struct disk *disk, const void *bytes, size_t len, uint64_t off, struct err *err);
    void (*close)(struct disk *disk);
};

struct disk {
    const struct disk_ops *ops; /* NULL when empty */
    uint64_t size;              /* bytes */
    int fd;                     /* regular file, read-write; -1 for disks in memory and for views */
    unsigned char *memory;      /* disks in memory only */
    struct mapping *map;        /* views only */
};
#define DISK_EMPTY                                                                                           \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

/* Takes ownership of FD. */
must_check int disk_from_fd(int fd, struct disk *ret, struct err *err);
/* A view of BASE, a regular file that nobody writes to. Takes ownership of it on success. */
must_check int disk_over(int base, struct disk *ret, struct err *err);
/* Zeroed, SIZE bytes at most 1 GiB. */
must_check int disk_in_memory(uint64_t size, struct disk *ret, struct err *err);

must_check int disk_read(const struct disk *disk, void *bytes, size_t len, uint64_t off, struct err *err);
must_check int disk_write(struct disk *disk, const void *bytes, size_t len, uint64_t off, struct err *err);
/* Grows (never shrinks) the disk; the new part reads as zeros. Not for disks in memory. */
must_check int disk_grow(struct disk *disk, uint64_t size, struct err *err);

/* Where a file's bytes are, and what names them: see disk_origin(). */
struct extent_source {
    int fd;
    uint64_t from;         /* byte of the file */
    struct sha256 content; /* of what a part is taken from */
    uint64_t content_from; /* byte of the file at which that begins; not behind FROM */
    bool named;            /* CONTENT is right, or the disk will not be used */
};
/* Views: LEN bytes at OFF (whole sectors) become those of SOURCE, without being copied; what was written there is gone. The
 * file must stay as it is; its descriptor is duplicated. */
must_check int disk_map_extent(struct disk *disk, uint64_t off, uint64_t len,
                               const struct extent_source *source, struct err *err);
/* Views: FD's file must be what IDENTITY says, now (ERR_VERIFY) and whenever disk_check_files() asks. */
must_check int disk_watch(struct disk *disk, int fd, const struct file_identity *identity, struct err *err);
/* ERR_VERIFY when a file that is mapped or watched is no longer what it was then. To be asked after the last read. */
must_check int disk_check_files(const struct disk *disk, struct err *err);

/* Views: what vouches for the base: for each DISK_SUM bytes the CRC-32C of those of its blocks of 4 KiB, as they were made, that are
 * not zeros alone. SUMS is taken over. */
enum { DISK_SUM = 1 << 20, DISK_SUM_BLOCK = 4096 };
void disk_vouch(struct disk *disk, uint32_t *sums, size_t count);
/* Is the base at OFF, a multiple of DISK_SUM, still what it was? ERR_VERIFY, CACHE_ROT (cache/cache.h) when not; 0 where nothing
 * vouches for it. SCRATCH has room for DISK_SUM bytes. */
must_check int disk_check_base(const struct disk *disk, uint64_t off, unsigned char *scratch,
                               struct err *err);

/* The first range at or behind AT that may hold anything but zeros, or, for the second, anything but what the base has (all of
 * a disk that is not a view). False when there is none. */
bool disk_next_data(const struct disk *disk, uint64_t at, uint64_t *ret_off, uint64_t *ret_end);
bool disk_next_change(const struct disk *disk, uint64_t at, uint64_t *ret_off, uint64_t *ret_end);

/* Views: names what lies at a range by where it came from: parts of the base, by their offsets, and of mapped content, by its
 * digest. Ranges of views of one base that have the same name hold the same bytes. False when something was written there, or
 * it came from a file without a name. */
bool disk_origin(const struct disk *disk, uint64_t off, uint64_t len, struct sha256 *ret);

/* A descriptor to read the whole disk by, for libraries that insist on one: the file's, or a view's base as long as nothing was
 * written. -1 when there is none. */
int disk_view_fd(const struct disk *disk);

enum { DISK_PATH_CAP = 32 };
/* "/proc/self/fd/N" of disk_view_fd(), for those that insist on a path. */
void disk_path(const struct disk *disk, char out[static DISK_PATH_CAP]);

void disk_close(struct disk *disk);
#define cleanup_disk cleanup(disk_close)

#endif
