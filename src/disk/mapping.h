/* A disk that is a view: a base that nobody writes to, files that lie in place of parts of it, and what was written, in memory.
 *
 * In:    the base and the files that are mapped in, as descriptors; writes of any length.
 * Out:   reads of what the disk would be, had everything been copied.
 * Fails: ERR_IO, ERR_SPACE for writes over the cap of struct overlay; ERR_VERIFY when a mapped file changed.
 * Owns:  duplicates of the descriptors, what was written.
 * Never: writes to a file. Reads may come from several threads as long as nobody writes.
 *
 * What is written there as it was already does not count as written.
 */
#ifndef BAKE_DISK_MAPPING_H
#define BAKE_DISK_MAPPING_H

#include "disk/disk.h"
#include "io/file.h"
#include "disk/overlay.h"
#include "disk/ranges.h"

struct extent {
    uint64_t off, len;           /* bytes of the disk */
    struct extent_source source; /* its descriptor is one of the files' */
};

struct mapped_file {
    int fd;
    struct file_identity identity;
};

struct mapping {
    int base;
    uint64_t base_size; /* bytes; the disk may be larger, and reads as zeros there */
    uint32_t *sums;     /* of the base, see disk_vouch(); NULL: none */
    size_t sum_count;
    struct overlay overlay;
    struct ranges written;  /* in the overlay, all of it and perhaps more */
    struct extent *extents; /* sorted, disjoint */
    size_t extent_count, extent_capacity;
    struct mapped_file *files;
    size_t file_count, file_capacity;
};

#endif
