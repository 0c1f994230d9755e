/* Checks one detached OpenPGP signature by running gpgv.
 *
 * In:    an open file, one signature packet, the keyring in binary.
 * Out:   a verdict: the fingerprint of the primary key behind a good signature, or the reason why the
 *        signature does not count.
 * Fails: ERR_VERIFY when the file is not what a key of the keyring signed, or gpgv's output makes no sense;
 *        ERR_IO when gpgv is not installed.
 * Never: reads or writes a GnuPG home; passes gpgv a path at which the file could be replaced.
 *
 * A signature that does not count is not a failure: another one in the same file may count. A BAD one is a
 * failure: a trusted key signed other bytes, so the file and its signatures do not belong together.
 */
#ifndef BAKE_VERIFY_GPGV_H
#define BAKE_VERIFY_GPGV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/run.h"
#include "verify/types.h"

struct gpgv_job {
    int fd;           /* the signed file */
    const char *name; /* the input's name, for messages */
    const void *signature;
    size_t signature_size;
    const char *signature_name;
    const void *keyring;
    size_t keyring_size;
    const char *keyring_name; /* for messages: where to add a key */
    bool keyring_armoured;    /* for messages: a key to add must be armoured too */
};

/* Best first: of several signatures that do not count, the one that comes first here is reported. */
enum gpgv_verdict {
    GPGV_GOOD,
    GPGV_INVALID,    /* by a key of the keyring, but revoked, expired, too weak or of the wrong kind */
    GPGV_NO_KEY,     /* the keyring has no such key */
    GPGV_UNREADABLE, /* of a version or algorithm that gpgv does not know, or damaged */
    GPGV_UNCHECKED   /* gpgv has not run yet */
};

struct gpgv_answer {
    enum gpgv_verdict verdict;
    char signer[FINGERPRINT_CAP]; /* GPGV_GOOD: the primary key's fingerprint */
    struct err reason;            /* any other verdict: why the signature does not count */
};

must_check int gpgv_check(const struct gpgv_job *job, const struct run *run, struct gpgv_answer *ret,
                          struct err *err);

/* Derives the verdict from what gpgv wrote to its status descriptor (STATUS) and, with --verbose, to stderr
 * (LOG). Separate from gpgv_check() so that hostile and rare output can be tested. */
must_check int gpgv_judge(const char *status, size_t len, const char *log, const struct gpgv_job *job,
                          const struct run *run, struct gpgv_answer *ret, struct err *err);

#endif
