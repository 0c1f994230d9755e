/* A package as the command line names it, opened and checked. */
#ifndef BAKE_FRONT_REMOTE_PACKAGE_FILE_H
#define BAKE_FRONT_REMOTE_PACKAGE_FILE_H

#include "bake/ui/common.h"
#include "seal/read.h"

struct package_options {
    const char *package;    /* NAME.manifest.json, or NAME.tar.gz beside it */
    const char *public_key; /* NULL: the user's own, if it exists */
    bool unsigned_package;
};

extern const struct option_group package_group; /* struct package_options */

/* ERR_USAGE: no package named, or options that contradict each other. */
must_check int package_options_check(const struct package_options *options, struct err *err);
/* Checks the manifest's signature and the archive's SHA-256; *ret_fd is the very archive that was hashed.
 * STAGE is for warnings. RET_SEALED may be NULL. */
must_check int package_file_open(struct common *common, const struct package_options *options,
                                 const char *stage, struct package *ret, struct sealed *ret_sealed,
                                 int *ret_fd, struct err *err);

/* The manifest's path for NAME.manifest.json or NAME.tar.gz. The caller frees it. */
must_check int package_manifest_path(const char *package, char **ret, struct err *err);

#endif
