/* Blocks written to a disk, kept in memory so that the disk itself stays unchanged.
 *
 * In:    writes of whole units.
 * Out:   reads that include them.
 * Fails: when out of memory or over the cap.
 * Owns:  copies of the blocks, until overlay_free().
 */
#ifndef BAKE_DISK_OVERLAY_H
#define BAKE_DISK_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* A unit is a sector. The cap of 512 MiB is more than all bitmaps of an ext4 file system of 30 TiB. */
enum { OVERLAY_UNIT = 512 /* bytes */, OVERLAY_MAX = 1024 << 10 /* units */ };

struct overlay_slot {
    uint64_t unit;
    unsigned char *bytes; /* NULL: free */
};

struct overlay {
    struct overlay_slot *slots; /* open addressing; capacity is a power of two */
    size_t count, capacity;
};

/* LEN and OFF are bytes, whole units. False when out of memory or over the cap. */
must_check bool overlay_write(struct overlay *overlay, const void *bytes, size_t len, uint64_t off);
/* Overwrites BYTES, the disk's bytes of that range, with the units written there. */
void overlay_read(const struct overlay *overlay, void *bytes, size_t len, uint64_t off);
/* Forgets the units in that range. */
void overlay_drop(struct overlay *overlay, uint64_t len, uint64_t off);
void overlay_free(struct overlay *overlay);
#define cleanup_overlay cleanup(overlay_free)

#endif
