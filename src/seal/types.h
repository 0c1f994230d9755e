/* What seal takes and returns, as plain data. Strings are borrowed in struct seal_input, owned in struct
 * sealed. */
#ifndef BAKE_SEAL_TYPES_H
#define BAKE_SEAL_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "pack/types.h"
#include "plan/types.h"

enum {
    PACKAGE_FORMAT = 2 /* "format" of the package manifest */,
    CONTENTS_FORMAT = 1 /* of the contents list */
};

struct cache;

/* One thing the image was made from: the base, or an input. */
struct seal_source {
    const char *name;     /* in the recipe */
    const char *url;      /* without credentials; "" for text written in the recipe itself */
    struct sha256 sha256; /* of the bytes as fetched */
    uint64_t size;        /* bytes */
    const char *signer;   /* OpenPGP fingerprint; NULL or "" when only a digest was checked */
    const char *version;  /* NULL or "" when unknown */
};

/* Versions such as "1.36.3"; "" when there is none or it is not known. */
struct seal_kubernetes {
    const char *version, *etcd, *containerd;
};

struct seal_input {
    const char *name;            /* of the package: the files are NAME.tar.gz, NAME.manifest.json, ... */
    const char *bake_version;    /* BAKE_VERSION */
    int64_t epoch;               /* "created", seconds since 1970 */
    const char *recipe;          /* its name */
    struct sha256 recipe_sha256; /* of the recipe's text */
    struct sha256 lock_sha256;   /* digest of the lock */
    struct seal_source base;
    const char *os; /* "coreos", "flatcar", "fedora-coreos"; base.version is its version */
    const struct seal_source *inputs;
    size_t input_count;
    const struct seal_kubernetes *kubernetes; /* NULL: none in the image */
    const struct plan *plan;
    const struct packed *packed;
    struct cache *cache; /* remembers digests of content; may be NULL */
    const char *image;   /* a JSON object, copied to "image" (family, labels, ...); NULL: {} */
};

/* One file of the package, in memory. */
struct sealed_file {
    char *name; /* file name without folder; NULL when there is no such file */
    char *text;
    size_t len;
};

/* A complete package, as cloud requires. Only seal_package() (seal/package.h) and package_open()
 * (seal/read.h) make one. */
struct sealed {
    char *name;
    struct sealed_file manifest, provenance, spdx;
    struct sealed_file signature; /* of the manifest; name is NULL when unsigned */
    struct sha256 manifest_sha256;
};

static inline void sealed_file_free(struct sealed_file *file)
{
    free(file->name);
    free(file->text);
    *file = (struct sealed_file){0};
}

static inline void sealed_free(struct sealed *sealed)
{
    free(sealed->name);
    sealed->name = NULL;
    sealed_file_free(&sealed->manifest);
    sealed_file_free(&sealed->provenance);
    sealed_file_free(&sealed->spdx);
    sealed_file_free(&sealed->signature);
}
#define cleanup_sealed cleanup(sealed_free)

#endif
