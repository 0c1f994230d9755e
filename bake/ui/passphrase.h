/* Where a signing key's passphrase comes from: --passphrase-file, --passphrase-fd, else a prompt on the terminal. */
#ifndef BAKE_FRONT_UI_PASSPHRASE_H
#define BAKE_FRONT_UI_PASSPHRASE_H

#include <stdbool.h>
#include <stdint.h>

#include "seal/sign/key.h"

struct passphrase_options {
    const char *file; /* its first line; NULL: none */
    uint64_t fd;      /* descriptor to read from; UINT64_MAX: none */
    bool twice;       /* for a new key: the prompt asks again */
};
#define PASSPHRASE_NONE                                                                                      \
    {                                                                                                        \
        .fd = UINT64_MAX                                                                                     \
    }
#define PASSPHRASE_OPTIONS(options)                                                                          \
    {"passphrase-file", 0, OPTION_STRING, &(options)->file, "FILE", "the key's passphrase, first line"},     \
    {                                                                                                        \
        "passphrase-fd", 0, OPTION_UINT, &(options)->fd, "N", "the same from a descriptor"                   \
    }

/* The source borrows OPTIONS. */
struct passphrase_source passphrase_source(struct passphrase_options *options);

#endif
