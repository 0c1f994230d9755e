/* minisign signatures, checked: the half of the format that a node needs.
 *
 * In:    the texts of a public key file and a signature file, and the signed bytes.
 * Out:   the key's id as minisign prints it, but always with 16 digits: minisign drops leading zeros.
 * Fails: ERR_VERIFY naming the file and what is wrong with it.
 * Owns:  nothing.
 * Never: signs; accepts the older, not prehashed form ("Ed"), or a signature of another key.
 * Source: https://jedisct1.github.io/minisign/ ("Signature format"). A writer of its own, so that the check on
 * the node does not share a mistake with the maker of the image.
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

/* EXPECTED_FILE: what the trusted comment must say in its file: field. */
must_check int minisig_verify(const struct minisig_text *key, const struct minisig_text *signature,
                              const void *bytes, size_t len, const char *expected_file,
                              char ret_id[static MINISIG_ID_HEX], struct err *err);

#endif
