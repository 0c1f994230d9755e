/* A disk: random access to a sparse raw image. The image is a file, memory (for tests), or a view: a base
 * overlaid with changes (disk/mapping.h), so that unchanged parts need not be copied.
 *
 * In:    offsets and lengths in bytes.
 * Out:   whole transfers.
 * Fails: ERR_LAYOUT when the range is outside the disk; ERR_IO or ERR_SPACE from the file.
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
/* A view of BASE, a regular file that must not change. Takes ownership of it on success. */
must_check int disk_over(int base, struct disk *ret, struct err *err);
/* A disk of SIZE zero bytes, at most 1 GiB. */
must_check int disk_in_memory(uint64_t size, struct disk *ret, struct err *err);

must_check int disk_read(const struct disk *disk, void *bytes, size_t len, uint64_t off, struct err *err);
must_check int disk_write(struct disk *disk, const void *bytes, size_t len, uint64_t off, struct err *err);
/* Grows (never shrinks) the disk; the new part reads as zeros. Not for disks in memory. */
must_check int disk_grow(struct disk *disk, uint64_t size, struct err *err);

/* Where the bytes of an extent come from, and the digest that identifies them in disk_origin(). */
struct extent_source {
    int fd;
    uint64_t from;         /* offset in the file */
    struct sha256 content; /* of the content that the extent is a part of */
    uint64_t content_from; /* where that content begins in the file; at most FROM */
    bool named;            /* CONTENT is verified, or will be before the disk is used */
};
/* Views: maps LEN bytes of SOURCE at OFF (both whole sectors) without copying them. They replace what was
 * written there. The file must not change; its descriptor is duplicated. */
must_check int disk_map_extent(struct disk *disk, uint64_t off, uint64_t len,
                               const struct extent_source *source, struct err *err);
/* Views: watches FD's file. It must match IDENTITY now (else ERR_VERIFY) and at every disk_check_files(). */
must_check int disk_watch(struct disk *disk, int fd, const struct file_identity *identity, struct err *err);
/* ERR_VERIFY when a mapped or watched file has changed. Call it after the last read. */
must_check int disk_check_files(const struct disk *disk, struct err *err);

/* Views: sets the base's checksums, taken when it was made: for each DISK_SUM bytes, the CRC-32C of its 4 KiB
 * blocks that are not all zeros. Takes ownership of SUMS. */
enum { DISK_SUM = 1 << 20, DISK_SUM_BLOCK = 4096 };
void disk_set_base_sums(struct disk *disk, uint32_t *sums, size_t count);
/* Checks the base at OFF, a multiple of DISK_SUM: ERR_VERIFY with CACHE_ROT (cache/cache.h) when it has
 * changed; 0 when there is no checksum for it. SCRATCH holds DISK_SUM bytes. */
must_check int disk_check_base(const struct disk *disk, uint64_t off, unsigned char *scratch,
                               struct err *err);

/* The first range at or after AT that may hold data or, for the second function, may differ from the base (a
 * disk that is not a view differs everywhere). False when there is none. */
bool disk_next_data(const struct disk *disk, uint64_t at, uint64_t *ret_off, uint64_t *ret_end);
bool disk_next_change(const struct disk *disk, uint64_t at, uint64_t *ret_off, uint64_t *ret_end);

/* Views: identifies the bytes of a range by their origin: parts of the base by offset, and parts of mapped
 * content by its digest. Ranges of views of one base with the same origin hold the same bytes. False when
 * part of the range was written or comes from content that is not named. */
bool disk_origin(const struct disk *disk, uint64_t off, uint64_t len, struct sha256 *ret);

/* A descriptor of the whole disk, for libraries that need one: the file's, or a view's base before anything
 * is written, mapped or grown. Otherwise -1. */
int disk_view_fd(const struct disk *disk);

enum { DISK_PATH_CAP = 32 };
/* "/proc/self/fd/N" of disk_view_fd(), for libraries that need a path. */
void disk_path(const struct disk *disk, char out[static DISK_PATH_CAP]);

void disk_close(struct disk *disk);
#define cleanup_disk cleanup(disk_close)

#endif
