/* The little OpenPGP that bake itself reads, before gpgv does: ASCII armour and packet headers.
 *
 * In:    a keyring or detached signature, binary or ASCII-armoured.
 * Out:   the binary form.
 * Fails: ERR_VERIFY: broken armour, a wrong checksum, no content, a packet of a type that is not allowed.
 * Never: checks a signature; gpgv does that.
 *
 * Source: RFC 4880 sections 4.2 (packet headers), 4.3 (tags), 6 (Radix-64 and armour, CRC-24); RFC 9580
 * section 4.3 (tags to ignore).
 */
#ifndef BAKE_VERIFY_PGP_H
#define BAKE_VERIFY_PGP_H

#include <stddef.h>

#include "base/buf.h"

/* Appends the binary form to RET: all armoured blocks whose BEGIN line names KIND ("PUBLIC KEY BLOCK",
 * "SIGNATURE"), decoded, or BYTES unchanged if they are binary. NAME is for messages. */
must_check int pgp_dearmour(const void *bytes, size_t len, const char *kind, const char *name,
                            struct buf *ret, struct err *err);

enum { PGP_SIGNATURES_MAX = 16 };

struct pgp_signature { /* one packet, within the caller's bytes */
    const void *bytes;
    size_t len;
};

/* Every packet must be a signature: given a signed message instead, gpgv would check the text inside it and
 * not the artifact. The contents of a signature packet are left to gpgv. */
must_check int pgp_split_signatures(const void *bytes, size_t len, const char *name,
                                    struct pgp_signature ret[static PGP_SIGNATURES_MAX], unsigned *ret_count,
                                    struct err *err);

/* Drops keys of version 6 or later from a binary keyring: gpgv 2.2 and 2.4 find no key at all in a keyring
 * that holds one. A keyring that is not a sequence of packets (a keybox) stays unchanged. */
void pgp_drop_new_keys(struct buf *keyring);

#endif
