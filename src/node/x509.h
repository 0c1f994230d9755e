/* Certificates of the cluster's own authorities.
 *
 * In:    a seed for an authority; a subject, names and uses for a leaf; the time.
 * Out:   keys and X.509 v3 certificates, as OpenSSL objects and as PEM.
 * Fails: ERR_INTERNAL if OpenSSL fails; x509_fits() returns false.
 * Owns:  the caller frees the results.
 * Never: reads a configuration file, a clock, or any source of randomness but the kernel's.
 * Source: RFC 5280; RFC 8410 (Ed25519); RFC 5958 (keys as PKCS #8).
 *
 * Ed25519 signatures are deterministic, and an authority's serial and validity are fixed, so the same seed
 * yields the same certificate byte for byte.
 */
#ifndef BAKE_NODE_X509_H
#define BAKE_NODE_X509_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <openssl/x509.h>

#include "node/cluster_secret.h"
#include "base/buf.h"

enum {
    X509_NAMES_MAX = 24,
    X509_DAYS = 90,
    X509_RENEW_DAYS = 30,
    X509_BACKDATE_S = 25 * 3600,
    X509_PEM_MAX = 16 << 10
};

struct x509_pair {
    EVP_PKEY *key; /* NULL in an authority that was read from its certificate */
    X509 *cert;
};

void x509_pair_free(struct x509_pair *pair);
#define cleanup_x509_pair cleanup(x509_pair_free)

struct x509_leaf {
    const char *common_name, *organization; /* ORGANIZATION may be NULL */
    bool server, client;
    const char *names[X509_NAMES_MAX]; /* DNS names and dotted IPv4 addresses */
    size_t name_count;
};

must_check int x509_authority(const unsigned char seed[DERIVED_KEY_SIZE], const char *common_name,
                              struct x509_pair *ret, struct err *err);

/* A new key and its certificate, valid from X509_BACKDATE_S before NOW (for clocks that are behind) to
 * X509_DAYS after. */
must_check int x509_issue(const struct x509_pair *authority, const struct x509_leaf *leaf, time_t now,
                          struct x509_pair *ret, struct err *err);

/* The service accounts' key, derived from the seed: P-256, because Kubernetes does not sign tokens with
 * Ed25519. */
must_check int x509_token_key(const unsigned char seed[DERIVED_KEY_SIZE], EVP_PKEY **ret, struct err *err);

/* Adds PEM to RET. x509_write_key() gives PKCS #8, x509_write_public() a SubjectPublicKeyInfo. */
must_check int x509_write_cert(const X509 *cert, struct buf *ret, struct err *err);
must_check int x509_write_key(const EVP_PKEY *key, struct buf *ret, struct err *err);
must_check int x509_write_public(const EVP_PKEY *key, struct buf *ret, struct err *err);

/* Read exactly what x509_write_cert() and x509_write_key() write; NULL for any other bytes. */
X509 *x509_read_cert(const struct buf *pem);
EVP_PKEY *x509_read_key(const struct buf *pem);

/* As x509_read_cert(), for a file of one certificate or two, the number of which is returned; 0 for any other
 * bytes. The caller frees RET. */
size_t x509_read_certs(const struct buf *pem, X509 *ret[static 2]);

/* Whether an authority's certificate is self-signed, intact, and valid at NOW. */
bool x509_authority_good(X509 *cert, time_t now);

/* Whether CERT and KEY (PEM) belong together, were issued by AUTHORITY for exactly this leaf, and are valid
 * at NOW and for SPARE_S seconds more. */
bool x509_fits(const struct buf *cert, const struct buf *key, const X509 *authority,
               const struct x509_leaf *leaf, time_t now, time_t spare_s);

#endif
