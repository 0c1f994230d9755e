/* Reads a package from its files, strictly: they are untrusted until the signature is verified, and may be
 * hostile even then.
 *
 * In:    the text of a manifest, or its path.
 * Out:   struct package: what the manifest says; struct sealed, which cloud requires.
 * Fails: ERR_VERIFY with file, line and column.
 * Owns:  struct package owns its strings and arrays until package_free().
 */
#ifndef BAKE_SEAL_READ_H
#define BAKE_SEAL_READ_H

#include "base/arena.h"
#include "base/run.h"
#include "seal/sign/minisign.h"
#include "seal/types.h"

enum { MANIFEST_MAX = 16 << 20 };

struct package_file {
    const char *path; /* in the image, or a file name beside the manifest */
    uint64_t size;    /* bytes */
    struct sha256 sha256;
};

struct package {
    struct arena arena;
    const char *name, *bake_version, *recipe, *os;
    int64_t epoch;
    struct sha256 recipe_sha256, lock_sha256, plan_digest;
    struct seal_source base;
    struct seal_source *inputs;
    size_t input_count;
    struct seal_kubernetes kubernetes; /* "" without it, as in packages of older versions */
    struct packed packed;              /* its segments are in the arena: do not packed_free() it */
    struct package_file archive, provenance, spdx;
    struct package_file *files; /* embedded, in byte order of path */
    size_t file_count;
    const char *image; /* JSON object, as text */
};

void package_free(struct package *package);
#define cleanup_package cleanup(package_free)

/* NAME is for messages. */
must_check int package_read(const char *text, size_t len, const char *name, struct package *ret,
                            struct err *err);

/* Reads NAME.manifest.json and the files it names except the archive; checks the signature (not when KEY is
 * NULL) and the digests. RET and RET_SEALED may each be NULL. */
must_check int package_open(const char *manifest_path, const struct minisign_public *key, struct package *ret,
                            struct sealed *ret_sealed, struct err *err);

/* Opens the archive in the manifest's folder and checks size and SHA-256. *ret_fd is the descriptor that was
 * checked; RET_FD may be NULL. */
must_check int package_check_archive(const struct package *package, const char *manifest_path,
                                     const struct run *run, int *ret_fd, struct err *err);

#endif
