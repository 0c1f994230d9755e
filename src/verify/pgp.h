/* The little of OpenPGP that is looked at before gpgv sees it: armour, and what kind of packets there are.
 *
 * In:    a keyring or detached signature, binary or ASCII-armoured.
 * Out:   the binary form.
 * Fails: ERR_VERIFY: broken armour, a wrong checksum, nothing in it, a packet that has no place there.
 * Never: judges a signature; that is gpgv's.
 *
 * Source: RFC 4880 sections 4.2 (packet headers), 4.3 (tags), 6 (Radix-64 and armour, CRC-24).
 */
#ifndef BAKE_VERIFY_PGP_H
#define BAKE_VERIFY_PGP_H

#include <stddef.h>

#include "base/buf.h"

/* Appends the binary form to RET: of every armoured block whose first line names KIND ("PUBLIC KEY BLOCK",
 * "SIGNATURE"), or the bytes as they are when they are not armoured. NAME is for messages. */
must_check int pgp_dearmour(const void *bytes, size_t len, const char *kind, const char *name,
                            struct buf *ret, struct err *err);

/* Every packet must be a signature: a signed message in its place would make gpgv check the text inside it
 * instead of the artifact. At most 16. *ret_count is how many. */
must_check int pgp_only_signatures(const void *bytes, size_t len, const char *name, unsigned *ret_count,
                                   struct err *err);

#endif
