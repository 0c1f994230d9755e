/* Signed JSON Web Tokens of service accounts: RS256, with OpenSSL.
 *
 * In:    a private key in PEM, and the claims.
 * Out:   the token's text.
 * Fails: ERR_RECIPE: a key that is encrypted, or not RSA of 2048 to 8192 bits.
 * Owns:  a key is the caller's until jwt_key_free().
 * Source: RFC 7515, RFC 7518 section 3.3, RFC 7523; https://google.aip.dev/auth/4111 for the self-signed
 *         kind.
 */
#ifndef BAKE_CLOUD_AUTH_JWT_H
#define BAKE_CLOUD_AUTH_JWT_H

#include <stdint.h>

#include <openssl/evp.h>

#include "base/buf.h"

enum { JWT_MAX = 16 << 10, JWT_LIFETIME_S = 3600 };

struct jwt_claims {
    const char *key_id;   /* kid; NULL: none */
    const char *issuer;   /* iss */
    const char *subject;  /* sub; NULL: none */
    const char *audience; /* aud; NULL: none */
    const char *scope;
    int64_t issued_s; /* iat; exp is JWT_LIFETIME_S later */
};

must_check int jwt_key_read(const char *pem, EVP_PKEY **ret, struct err *err);
void jwt_key_free(EVP_PKEY *key);

/* RET comes from sensitive_buf_init(). */
must_check int jwt_sign(EVP_PKEY *key, const struct jwt_claims *claims, struct buf *ret, struct err *err);

#endif
