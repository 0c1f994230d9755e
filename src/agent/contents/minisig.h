/* Verifies minisign signatures: the half of the format that a node needs.
 *
 * In:    the texts of a public key file and a signature file, and the signed bytes.
 * Out:   the key's id as minisign prints it, but always with 16 digits: minisign drops leading zeros.
 * Fails: ERR_VERIFY naming the file and what is wrong with it.
 * Never: signs; accepts the older form without prehashing ("Ed"), or a signature by another key.
 * Source: https://jedisct1.github.io/minisign/ ("Signature format"). Independent of the code in src/seal that
 *         signs, so that the two do not share a mistake.
 */
#ifndef BAKE_AGENT_CONTENTS_MINISIG_H
#define BAKE_AGENT_CONTENTS_MINISIG_H

#include <stddef.h>

#include "base/err.h"

enum { MINISIG_FILE_MAX = 16 << 10, MINISIG_ID_HEX = 17 };

struct minisig_text {
    const char *text;
    size_t len;
    const char *name; /* for messages */
};

/* EXPECTED_FILE: the required value of the trusted comment's "file:" field. */
must_check int minisig_verify(const struct minisig_text *key, const struct minisig_text *signature,
                              const void *bytes, size_t len, const char *expected_file,
                              char ret_id[static MINISIG_ID_HEX], struct err *err);

#endif
