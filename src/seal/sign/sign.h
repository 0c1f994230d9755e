/* Signatures with the trusted comment that all of bake's have: "timestamp:EPOCH\tfile:NAME\thashed".
 *
 * In:    a text, the name of its file, the time to record.
 * Out:   a minisign signature file.
 * Fails: ERR_INTERNAL when the name does not fit into a comment; ERR_VERIFY when a comment names another
 *        file.
 */
#ifndef BAKE_SEAL_SIGN_SIGN_H
#define BAKE_SEAL_SIGN_SIGN_H

#include "base/buf.h"
#include "seal/sign/key.h"

must_check int sign_text(const struct buf *text, const char *name, int64_t epoch,
                         const struct signing_key *key, struct buf *ret, struct err *err);

/* The comment must name NAME: a valid signature of another file with the same key is refused. */
must_check int sign_comment_names(const char *comment, const char *name, const char *signature_name,
                                  struct err *err);

#endif
