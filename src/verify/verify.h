/* Verification: the only way from an artifact, whose bytes may come from anywhere, to a struct trusted.
 *
 * In:    an artifact, and what it must match: digests, a detached OpenPGP signature and its keyring.
 * Out:   a struct trusted with the very descriptor that was checked: the file is not opened by name again.
 * Fails: ERR_VERIFY with what was expected, what was found and what to do; ERR_IO when the bytes cannot be
 *        read or gpgv cannot be started; ERR_INTERRUPTED.
 * Owns:  on success the artifact's descriptor and origin move to the result; on failure it keeps them.
 * Never: writes the artifact, uses the user's own GnuPG home, or leaves a file behind.
 *
 * Every condition in the spec must hold; a spec without any is refused unless allow_unpinned is set. gpgv(1)
 * checks the signatures.
 */
#ifndef BAKE_VERIFY_VERIFY_H
#define BAKE_VERIFY_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/run.h"
#include "fetch/types.h"
#include "verify/types.h"

enum { SIGNATURE_MAX = 64 << 10, KEYRING_MAX = 16 << 20, DIGESTS_MAX = 64 << 10 };

struct verify_spec {
    const char *name;    /* the input's name, for messages */
    const char *sha256;  /* 64 hex digits; NULL: not given */
    const char *sha512;  /* 128 hex digits; NULL: not given */
    uint64_t size;       /* bytes; 0: not given */
    bool from_lock;      /* size and digests come from the lock: messages say how to accept a changed input */
    bool hashed_already; /* artifact->sha256 is of these very bytes: it need not be computed again */
    const char *keyring; /* file of OpenPGP public keys, binary or armoured; set: a signature is required */
    const void *signature;      /* detached signature, binary or armoured; NULL: none */
    size_t signature_size;      /* bytes, at most SIGNATURE_MAX */
    const char *signature_name; /* where it came from, for messages; NULL: "NAME.sig" */
    const char *signer;         /* fingerprint of the primary key required; NULL: any in the keyring */
    bool allow_unpinned; /* first lock: accept without digest or signature; the caller warns the user */
};

/* On success *ret is filled and *artifact is empty. */
must_check int verify_artifact(struct artifact *artifact, const struct verify_spec *spec,
                               const struct run *run, struct trusted *ret, struct err *err);

/* Appends the keyring's binary form. Public so that a missing or malformed keyring is reported before
 * anything is fetched. */
must_check int verify_read_keyring(const char *path, struct buf *ret, bool *ret_armoured, struct err *err);

/* The SHA-512 of FILENAME from a CoreOS ".DIGESTS" file (blocks "# SHA512 HASH" of "HEX  NAME" lines).
 * ERR_VERIFY when it has none for that name, or two that differ. The file proves nothing in itself: it is as
 * trustworthy as its source. */
must_check int verify_digests_parse(const char *text, size_t len, const char *filename,
                                    uint8_t ret[static SHA512_SIZE], struct err *err);

#endif
