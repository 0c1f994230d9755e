/* A package as the command line names it, opened and checked. */
#ifndef BAKE_FRONT_REMOTE_PACKAGE_FILE_H
#define BAKE_FRONT_REMOTE_PACKAGE_FILE_H

#include "bake/ui/common.h"
#include "seal/read.h"

struct package_options {
    const char *package;    /* NAME.manifest.json, or NAME.tar.gz beside it */
    const char *public_key; /* NULL: the user's own, where there is one */
    bool unsigned_package;
};

#define PACKAGE_OPTIONS(options)                                                                             \
    {"public-key",           'p',   OPTION_STRING,                                                           \
     &(options)->public_key, "KEY", "file or line, else $XDG_CONFIG_HOME/bake/bake.pub"},                    \
    {                                                                                                        \
        "unsigned", 0, OPTION_FLAG, &(options)->unsigned_package, NULL, "check digests only"                 \
    }

/* ERR_USAGE: no package named, or options that contradict each other. */
must_check int package_options_check(const struct package_options *options, struct err *err);
/* Manifest, signature, digests, and the archive's SHA-256; *ret_fd is the archive, as it was hashed. RET_SEALED may be NULL. */
must_check int package_file_open(struct common *common, const struct package_options *options,
                                 const char *stage, struct package *ret, struct sealed *ret_sealed,
                                 int *ret_fd, struct err *err);

/* NAME.manifest.json as it is; NAME.tar.gz has its manifest beside it. The caller frees it. */
must_check int package_manifest_path(const char *package, char **ret, struct err *err);

#endif
