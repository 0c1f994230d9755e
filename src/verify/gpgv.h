/* One detached OpenPGP signature, by gpgv as a process.
 *
 * In:    an open file, one signature packet, the keyring in binary.
 * Out:   whether the signature vouches for the file: the fingerprint of the primary key that made it, or the
 *        reason why it does not count.
 * Fails: ERR_VERIFY when the file is not what a key of the keyring signed, or gpgv's answer makes no sense;
 *        ERR_IO when gpgv is not installed.
 * Never: touches a GnuPG home; passes a path that could be swapped.
 *
 * A signature that does not count is not a failure: another one in the same file may count. A BAD one is: a
 * trusted key signed other bytes, so the file and its signatures do not belong together.
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

/* In order of how much a reason helps whoever has to act on it. */
enum gpgv_verdict {
    GPGV_GOOD,
    GPGV_INVALID,    /* by a key of the keyring, but revoked, expired, too weak, of the wrong kind */
    GPGV_NO_KEY,     /* the keyring has no such key */
    GPGV_UNREADABLE, /* of a version or algorithm that gpgv does not know, or damaged */
    GPGV_NOT_ASKED
};

struct gpgv_answer {
    enum gpgv_verdict verdict;
    char signer[FINGERPRINT_CAP]; /* of a good one: the primary key's */
    struct err reason;            /* of any other */
};

must_check int gpgv_check(const struct gpgv_job *job, const struct run *run, struct gpgv_answer *ret,
                          struct err *err);

/* Judges what gpgv wrote on its status descriptor and, with --verbose, on stderr (LOG). Apart from
 * gpgv_check() so that hostile and rare output can be tested. */
must_check int gpgv_judge(const char *status, size_t len, const char *log, const struct gpgv_job *job,
                          const struct run *run, struct gpgv_answer *ret, struct err *err);

#endif
