/* SHA-1, SHA-256 and SHA-512, computed by OpenSSL, which uses the processor's instructions for them.
 *
 * In:    bytes.
 * Out:   digests as byte arrays; text/hex.h prints them.
 * Fails: ERR_INTERNAL if OpenSSL fails or memory runs out.
 * Owns:  a struct hasher owns its OpenSSL context until hasher_free().
 */
#ifndef BAKE_BASE_DIGEST_H
#define BAKE_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum digest_kind { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };
enum { SHA256_SIZE = 32, SHA512_SIZE = 64, DIGEST_MAX_SIZE = 64, SHA256_HEX = 65, SHA512_HEX = 129 };

struct sha256 {
    uint8_t bytes[SHA256_SIZE];
};

struct hasher {
    void *ctx; /* EVP_MD_CTX */
    enum digest_kind kind;
};

must_check int hasher_init(struct hasher *hasher, enum digest_kind kind, struct err *err);
must_check int hasher_add(struct hasher *hasher, const void *bytes, size_t len, struct err *err);
/* Writes the digest to OUT, which holds as many bytes as the kind has, DIGEST_MAX_SIZE at most. The hasher
 * can then only be freed. */
must_check int hasher_end(struct hasher *hasher, uint8_t *out, struct err *err);
void hasher_free(struct hasher *hasher);
#define cleanup_hasher cleanup(hasher_free)

must_check int sha256_of(const void *bytes, size_t len, struct sha256 *ret, struct err *err);
bool sha256_equal(const struct sha256 *a, const struct sha256 *b);

#endif
