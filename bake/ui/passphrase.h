/* Which key signs, and where its passphrase comes from: --passphrase-file, --passphrase-fd, else a prompt on
 * the terminal. */
#ifndef BAKE_FRONT_UI_PASSPHRASE_H
#define BAKE_FRONT_UI_PASSPHRASE_H

#include <stdbool.h>
#include <stdint.h>

#include "bake/ui/options.h"
#include "seal/sign/key.h"

struct passphrase_options {
    const char *file; /* its first line is the passphrase; NULL: not from a file */
    uint64_t fd;      /* descriptor to read a line from; UINT64_MAX: not from a descriptor */
    bool twice;       /* for a new key: the prompt asks again */
};

struct key_options {
    const char *path; /* of the secret key; NULL: the user's own */
    struct passphrase_options passphrase;
};
#define KEY_OPTIONS_DEFAULT                                                                                  \
    {                                                                                                        \
        .passphrase.fd = UINT64_MAX                                                                          \
    }
extern const struct option_group key_group; /* struct key_options */

/* The source borrows OPTIONS. */
struct passphrase_source passphrase_source(struct passphrase_options *options);

#endif
