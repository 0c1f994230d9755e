/* One detached OpenPGP signature, by gpgv as a process.
 *
 * In:    an open file, the signature in binary, the keyring in binary.
 * Out:   the fingerprint of the primary key whose signature is good.
 * Fails: ERR_VERIFY unless at least one signature is good and none is bad, revoked, expired, by a weak digest
 *        or not over a binary document. ERR_IO when gpgv is not installed.
 * Never: touches a GnuPG home; passes a path that somebody could swap.
 */
#ifndef BAKE_VERIFY_GPGV_H
#define BAKE_VERIFY_GPGV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/run.h"
#include "verify/types.h"

struct gpgv_job {
    int fd;           /* the file that is signed */
    const char *name; /* the input's name, for messages */
    const void *signature;
    size_t signature_size;
    const char *signature_name;
    const void *keyring;
    size_t keyring_size;
    const char *keyring_name; /* for messages: where to add a key */
    bool keyring_armoured;    /* and how */
};

must_check int gpgv_check(const struct gpgv_job *job, const struct run *run, char ret_signer[FINGERPRINT_CAP],
                          struct err *err);

/* What gpgv said on its status descriptor, judged. Apart from gpgv_check() so that hostile and rare output
 * can be tested. */
must_check int gpgv_judge(const char *status, size_t len, const struct gpgv_job *job, const struct run *run,
                          char ret_signer[FINGERPRINT_CAP], struct err *err);

#endif
