/* Signatures with the trusted comment that all of bake's carry: "timestamp:EPOCH\tfile:NAME\thashed".
 *
 * In:    a text, the name it will have, the time that stands for now.
 * Out:   a minisign signature file.
 * Fails: ERR_INTERNAL when the name cannot stand in a comment; ERR_VERIFY when a comment names another file.
 */
#ifndef BAKE_SEAL_SIGN_SIGN_H
#define BAKE_SEAL_SIGN_SIGN_H

#include "base/buf.h"
#include "seal/sign/key.h"

must_check int sign_text(const struct buf *text, const char *name, int64_t epoch,
                         const struct signing_key *key, struct buf *ret, struct err *err);
must_check int sign_digest(const uint8_t digest[static MINISIGN_DIGEST_SIZE], const char *name, int64_t epoch,
                           const struct signing_key *key, struct buf *ret, struct err *err);

/* The comment's file must be NAME: a good signature of another file of the same maker does not count. */
must_check int sign_comment_names(const char *comment, const char *name, const char *signature_name,
                                  struct err *err);

#endif
