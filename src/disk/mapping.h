/* A disk that is a view: a base that is only read, files mapped over parts of it, and written blocks in
 * memory.
 *
 * In:    descriptors of the base and the mapped files; writes of any length.
 * Out:   the bytes that the disk would have if everything had been copied.
 * Fails: ERR_IO; ERR_SPACE for writes over the cap of struct overlay; ERR_VERIFY when a mapped file changed.
 * Owns:  duplicates of the descriptors; the written blocks.
 * Never: writes to a file. Several threads may read at once, but not during a write.
 *
 * Writing the bytes that are already there does not count as a write.
 */
#ifndef BAKE_DISK_MAPPING_H
#define BAKE_DISK_MAPPING_H

#include "disk/disk.h"
#include "io/file.h"
#include "disk/overlay.h"
#include "disk/ranges.h"

struct extent {
    uint64_t off, len;           /* bytes of the disk */
    struct extent_source source; /* its descriptor belongs to files[] */
};

struct mapped_file {
    int fd;
    struct file_identity identity;
};

struct mapping {
    int base;
    uint64_t base_size; /* bytes; beyond them a larger disk reads as zeros */
    uint32_t *sums;     /* of the base, see disk_set_base_sums(); NULL: none */
    size_t sum_count;
    struct overlay overlay;
    struct ranges written;  /* at least everything in the overlay */
    struct extent *extents; /* sorted, disjoint */
    size_t extent_count, extent_capacity;
    struct mapped_file *files;
    size_t file_count, file_capacity;
};

#endif
