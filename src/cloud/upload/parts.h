/* The archive as upload parts, and how they are composed: plain data, made without the network.
 *
 * In:    the archive's descriptor and the list of its consecutive segments.
 * Out:   the archive's SHA-1, and a tree: its leaves are the parts, each named by the SHA-256 of its bytes;
 *        each inner node is composed of up to 32 nodes of the level below; the root is the archive.
 * Fails: ERR_VERIFY when the file's CRC-32C differs from the manifest's; ERR_IO.
 * Owns:  the nodes and their names until parts_free().
 *
 * Segments belong to one part when they begin in the same PART_RAW bytes of the disk. The rule depends on
 * offsets on the disk only, so an unchanged stretch of the disk keeps its part, whatever changed before it.
 * Segments without disk contents (the archive's head and tail) are parts of their own: they change with every
 * build.
 */
#ifndef BAKE_CLOUD_UPLOAD_PARTS_H
#define BAKE_CLOUD_UPLOAD_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/digest.h"
#include "base/run.h"
#include "pack/types.h"

enum {
    PART_RAW = 1 << 20,   /* bytes of the disk: small parts make small deltas, and requests are cheap */
    PART_MAX = 256 << 20, /* bytes of the archive: a part is in memory while it is sent */
    COMPOSE_MAX = 32,     /* sources of one compose call: cloud.google.com/storage/docs/composite-objects */
    PART_LEVELS_MAX = 8,  /* 32^7 parts */
    PARTS_MAX = 1 << 20,
    PART_CLASS_CAP = 32,
};

struct upload_part {
    const char *name; /* of the object, with its prefix */
    uint64_t off;     /* bytes of the archive */
    uint64_t size;    /* bytes */
    uint32_t crc32c;
    uint64_t generation;                /* of the object in the bucket; 0: not known to exist */
    bool duplicate;                     /* a leaf with the bytes of an earlier one */
    bool made;                          /* by this run: its storage class is that of new objects */
    char storage_class[PART_CLASS_CAP]; /* of the object; "": unknown */
    size_t first, count;                /* inner nodes: their sources among the nodes */
};

struct part_level {
    size_t first, count; /* among the nodes */
};

struct parts {
    struct arena arena;
    struct upload_part *nodes;
    struct part_level levels[PART_LEVELS_MAX]; /* 0: the leaves; the last one: the archive alone */
    size_t level_count;
    uint8_t archive_sha1[20]; /* for GCE's rawDisk.sha1Checksum */
};

/* PREFIX begins the names of parts and inner nodes, NAME is the archive's. */
must_check int parts_make(const struct packed *packed, int fd, const char *prefix, const char *name,
                          const struct run *run, struct parts *ret, struct err *err);
void parts_free(struct parts *parts);
#define cleanup_parts cleanup(parts_free)

/* The archive's node. */
struct upload_part *parts_root(const struct parts *parts);

#endif
