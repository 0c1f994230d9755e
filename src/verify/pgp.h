/* The little of OpenPGP that is looked at before gpgv sees it: armour, and what kind of packets there are.
 *
 * In:    a keyring or detached signature, binary or ASCII-armoured.
 * Out:   the binary form.
 * Fails: ERR_VERIFY: broken armour, a wrong checksum, nothing in it, a packet that has no place there.
 * Never: judges a signature; that is gpgv's.
 *
 * Source: RFC 4880 sections 4.2 (packet headers), 4.3 (tags), 6 (Radix-64 and armour, CRC-24); RFC 9580
 * section 4.3 (tags that are to be ignored).
 */
#ifndef BAKE_VERIFY_PGP_H
#define BAKE_VERIFY_PGP_H

#include <stddef.h>

#include "base/buf.h"

/* Appends the binary form to RET: of every armoured block whose first line names KIND ("PUBLIC KEY BLOCK",
 * "SIGNATURE"), or the bytes as they are when they are not armoured. NAME is for messages. */
must_check int pgp_dearmour(const void *bytes, size_t len, const char *kind, const char *name,
                            struct buf *ret, struct err *err);

enum { PGP_SIGNATURES_MAX = 16 };

struct pgp_signature { /* one packet, in the bytes that were given */
    const void *bytes;
    size_t len;
};

/* Every packet must be a signature: a signed message in its place would make gpgv check the text inside it
 * instead of the artifact. What a version of a signature holds is gpgv's affair. */
must_check int pgp_split_signatures(const void *bytes, size_t len, const char *name,
                                    struct pgp_signature ret[static PGP_SIGNATURES_MAX], unsigned *ret_count,
                                    struct err *err);

/* Drops the keys of a binary keyring that are of version 6 or later: gpgv 2.2 and 2.4 find no key at all in a
 * keyring that holds one. A keyring that is not a sequence of packets (a keybox) stays unchanged. */
void pgp_drop_new_keys(struct buf *keyring);

#endif
