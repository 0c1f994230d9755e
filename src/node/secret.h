/* The cluster's secret, from which every node derives the same keys.
 *
 * In:    the attribute cluster-secret: standard base64 of 32 random bytes, 44 characters, and perhaps a newline.
 * Out:   the bytes; keys, one for each use.
 * Fails: ERR_VERIFY, without a word of the value in the message.
 * Owns:  the bytes are on the caller's stack; secret_clear() wipes them.
 * Never: written to any file, log or argument list. A derived key tells nothing of the secret or of another key.
 */
#ifndef BAKE_NODE_SECRET_H
#define BAKE_NODE_SECRET_H

#include <stdbool.h>

#include "base/err.h"

enum { SECRET_SIZE = 32, SECRET_KEY_SIZE = 32 };

struct secret {
    unsigned char bytes[SECRET_SIZE];
    bool set;
};

must_check int secret_parse(const char *base64, struct secret *ret, struct err *err);

/* BLAKE2b-256, keyed with the secret, of "bake v1", LABEL and CLUSTER, each followed by a NUL: two clusters that were
 * given one secret by mistake share no key. */
void secret_derive(const struct secret *secret, const char *cluster, const char *label,
                   unsigned char ret[SECRET_KEY_SIZE]);

void secret_clear(struct secret *secret);
#define cleanup_secret cleanup(secret_clear)

#endif
