/* A program's file, at which only small pieces are looked: in the payload (a blob) or on the base's disk.
 *
 * In:    offsets and lengths in bytes, within SIZE.
 * Fails: as its owner's reader does.
 * Owns:  what CTX points to is its owner's.
 */
#ifndef BAKE_KUBE_PROGRAM_PROGRAM_H
#define BAKE_KUBE_PROGRAM_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct program {
    uint64_t size;
    int (*read)(const void *ctx, void *bytes, size_t len, uint64_t off, struct err *err);
    const void *ctx;
};

struct blob;
struct program program_of_blob(const struct blob *blob);

#endif
