#include "node/x509.h"

#include <string.h>

#include <openssl/asn1.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "node/values.h"

#define cleanup_names cleanup(free_names)

enum { SERIAL_SIZE = 16, SCALAR_TRIES = 16 };

static int fail(const char *what, struct err *err)
{
    return err_set(err, ERR_INTERNAL, 0, "OpenSSL cannot %s", what);
}

static void free_names(GENERAL_NAMES **names)
{
    GENERAL_NAMES_free(*names);
}

void x509_pair_free(struct x509_pair *pair)
{
    EVP_PKEY_free(pair->key);
    X509_free(pair->cert);
    *pair = (struct x509_pair){0};
}

/* A positive number of exactly 127 bits, so that its length never varies. */
static bool set_serial(X509 *cert, unsigned char bytes[static SERIAL_SIZE])
{
    bytes[0] = (unsigned char)((bytes[0] & 0x3f) | 0x40);
    BIGNUM *number = BN_bin2bn(bytes, SERIAL_SIZE, NULL);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    return ok;
}

/* As the type of the string itself: MBSTRING_UTF8 would hold a common name to the 64 characters of RFC 5280's
 * ub-common-name, and "system:node:" with a name of 63 is longer. Kubernetes has no such limit. */
static bool add_to_name(X509_NAME *name, const char *field, const char *text)
{
    return !text || X509_NAME_add_entry_by_txt(name, field, V_ASN1_UTF8STRING, (const unsigned char *)text,
                                               -1, -1, 0) == 1;
}

static X509_NAME *make_name(const char *organization, const char *common_name)
{
    X509_NAME *name = X509_NAME_new();
    if (name && add_to_name(name, "O", organization) && add_to_name(name, "CN", common_name))
        return name;
    X509_NAME_free(name);
    return NULL;
}

static bool add_extension(X509 *cert, const X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    /* X509V3_set_ctx() takes it without const, but does not change it */
    X509 *from;
    memcpy(&from, &issuer, sizeof from);
    X509V3_set_ctx(&context, from, cert, NULL, NULL, 0);
    X509_EXTENSION *made = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool ok = made && X509_add_ext(cert, made, -1) == 1;
    X509_EXTENSION_free(made);
    return ok;
}

static EVP_PKEY *key_of_seed(const unsigned char seed[DERIVED_KEY_SIZE])
{
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, DERIVED_KEY_SIZE);
}

static bool authority_fields(X509 *cert, EVP_PKEY *key, const char *common_name)
{
    unsigned char public[DERIVED_KEY_SIZE], digest[SHA256_DIGEST_LENGTH];
    size_t len = sizeof public;
    X509_NAME *name = make_name(NULL, common_name);
    bool ok = name && EVP_PKEY_get_raw_public_key(key, public, &len) == 1 && SHA256(public, len, digest) &&
              X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert, digest) &&
              X509_set_subject_name(cert, name) == 1 && X509_set_issuer_name(cert, name) == 1 &&
              X509_set_pubkey(cert, key) == 1 &&
              ASN1_TIME_set_string_X509(X509_getm_notBefore(cert), "20200101000000Z") == 1 &&
              ASN1_TIME_set_string_X509(X509_getm_notAfter(cert), "21200101000000Z") == 1 &&
              add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
              add_extension(cert, cert, NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign") &&
              add_extension(cert, cert, NID_subject_key_identifier, "hash");
    X509_NAME_free(name);
    return ok;
}

int x509_authority(const unsigned char seed[DERIVED_KEY_SIZE], const char *common_name, struct x509_pair *ret,
                   struct err *err)
{
    cleanup_x509_pair struct x509_pair made = {.key = key_of_seed(seed), .cert = X509_new()};
    if (!made.key || !made.cert || !authority_fields(made.cert, made.key, common_name) ||
        X509_sign(made.cert, made.key, NULL) == 0)
        return fail("make a certificate authority", err);
    *ret = made;
    made = (struct x509_pair){0};
    return 0;
}

static bool push_name(GENERAL_NAMES *names, const char *text)
{
    GENERAL_NAME *name = a2i_GENERAL_NAME(
        NULL, NULL, NULL, value_ip_ok(text) || strcmp(text, "127.0.0.1") == 0 ? GEN_IPADD : GEN_DNS, text, 0);
    if (name && sk_GENERAL_NAME_push(names, name) > 0)
        return true;
    GENERAL_NAME_free(name);
    return false;
}

static GENERAL_NAMES *alternative_names(const struct x509_leaf *leaf)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    for (size_t i = 0; names && i < leaf->name_count; i++)
        if (!push_name(names, leaf->names[i])) {
            GENERAL_NAMES_free(names);
            return NULL;
        }
    return names;
}

static bool leaf_times(X509 *cert, time_t now)
{
    return ASN1_TIME_set(X509_getm_notBefore(cert), now - X509_BACKDATE_S) &&
           ASN1_TIME_set(X509_getm_notAfter(cert), now + (time_t)X509_DAYS * 86400);
}

static bool leaf_fields(X509 *cert, EVP_PKEY *key, const struct x509_pair *authority,
                        const struct x509_leaf *leaf, time_t now)
{
    unsigned char serial[SERIAL_SIZE];
    X509_NAME *name = make_name(leaf->organization, leaf->common_name);
    cleanup_names GENERAL_NAMES *names = alternative_names(leaf);
    const char *uses = leaf->server && leaf->client ? "serverAuth,clientAuth"
                       : leaf->server               ? "serverAuth"
                                                    : "clientAuth";
    bool ok = name && names && RAND_bytes(serial, sizeof serial) == 1 &&
              X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert, serial) &&
              X509_set_subject_name(cert, name) == 1 &&
              X509_set_issuer_name(cert, X509_get_subject_name(authority->cert)) == 1 &&
              X509_set_pubkey(cert, key) == 1 && leaf_times(cert, now) &&
              add_extension(cert, authority->cert, NID_basic_constraints, "critical,CA:FALSE") &&
              add_extension(cert, authority->cert, NID_key_usage, "critical,digitalSignature") &&
              add_extension(cert, authority->cert, NID_ext_key_usage, uses) &&
              add_extension(cert, authority->cert, NID_subject_key_identifier, "hash") &&
              add_extension(cert, authority->cert, NID_authority_key_identifier, "keyid:always") &&
              (leaf->name_count == 0 || X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) == 1);
    X509_NAME_free(name);
    return ok;
}

int x509_issue(const struct x509_pair *authority, const struct x509_leaf *leaf, time_t now,
               struct x509_pair *ret, struct err *err)
{
    cleanup_x509_pair struct x509_pair made = {.key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
                                               .cert = X509_new()};
    if (!made.key || !made.cert || !leaf_fields(made.cert, made.key, authority, leaf, now) ||
        X509_sign(made.cert, authority->key, NULL) == 0)
        return fail("issue a certificate", err);
    *ret = made;
    made = (struct x509_pair){0};
    return 0;
}

/* Makes a key of SCALAR, which is from 1 to the group's order less 1, and its public point. */
static EVP_PKEY *key_of_scalar(const BIGNUM *scalar, const EC_GROUP *group)
{
    unsigned char point_bytes[65];
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EC_POINT *point = EC_POINT_new(group);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (context && point && build && EC_POINT_mul(group, point, scalar, NULL, NULL, NULL) == 1 &&
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, point_bytes, sizeof point_bytes,
                           NULL) == sizeof point_bytes &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point_bytes, sizeof point_bytes) ==
            1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1 &&
        (params = OSSL_PARAM_BLD_to_param(build)) != NULL && EVP_PKEY_fromdata_init(context) == 1)
        (void)EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EC_POINT_free(point);
    EVP_PKEY_CTX_free(context);
    return key;
}

/* The first of hash(seed, 0), hash(seed, 1), ... that is a scalar of the group; all but one in 2^32 are. */
static bool pick_scalar(const unsigned char seed[DERIVED_KEY_SIZE], const EC_GROUP *group, BIGNUM *scalar)
{
    unsigned char input[DERIVED_KEY_SIZE + 1], digest[SHA256_DIGEST_LENGTH];
    bool found = false;
    memcpy(input, seed, DERIVED_KEY_SIZE);
    for (unsigned char i = 0; !found && i < SCALAR_TRIES; i++) {
        input[DERIVED_KEY_SIZE] = i;
        found = SHA256(input, sizeof input, digest) && BN_bin2bn(digest, sizeof digest, scalar) &&
                !BN_is_zero(scalar) && BN_cmp(scalar, EC_GROUP_get0_order(group)) < 0;
    }
    OPENSSL_cleanse(input, sizeof input);
    OPENSSL_cleanse(digest, sizeof digest);
    return found;
}

int x509_token_key(const unsigned char seed[DERIVED_KEY_SIZE], EVP_PKEY **ret, struct err *err)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *scalar = BN_secure_new();
    EVP_PKEY *key = group && scalar && pick_scalar(seed, group, scalar) ? key_of_scalar(scalar, group) : NULL;
    BN_clear_free(scalar);
    EC_GROUP_free(group);
    if (!key)
        return fail("make the key for tokens", err);
    *ret = key;
    return 0;
}

/* Moves the BIO's bytes to RET. WRITTEN: writing them succeeded. */
static int take_pem(BIO *bio, bool written, struct buf *ret, struct err *err)
{
    char *text = NULL;
    long len = bio ? BIO_get_mem_data(bio, &text) : 0;
    if (written && len > 0)
        buf_add(ret, text, (size_t)len);
    BIO_free(bio);
    if (!written || len <= 0)
        return fail("write PEM", err);
    return buf_check(ret, "PEM", err);
}

int x509_write_cert(const X509 *cert, struct buf *ret, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return take_pem(bio, bio && PEM_write_bio_X509(bio, cert) == 1, ret, err);
}

int x509_write_key(const EVP_PKEY *key, struct buf *ret, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    return take_pem(bio, bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1, ret,
                    err);
}

int x509_write_public(const EVP_PKEY *key, struct buf *ret, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return take_pem(bio, bio && PEM_write_bio_PUBKEY(bio, key) == 1, ret, err);
}

/* Encrypted keys are refused: without this callback OpenSSL would ask the terminal for a password. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is OpenSSL's */
static int no_password(char *out, int cap, int writing, void *ctx)
{
    (void)out;
    (void)cap;
    (void)writing;
    (void)ctx;
    return -1;
}

static BIO *open_pem(const struct buf *pem)
{
    return pem->data && pem->len <= X509_PEM_MAX ? BIO_new_mem_buf(pem->data, (int)pem->len) : NULL;
}

/* OpenSSL skips what stands before, between and behind; Go reads some of it, and refuses all of the file for
 * it. So only the bytes that we would write are taken for ours. */
static bool same_text(const struct buf *has, const struct buf *wants)
{
    return has->len == wants->len && CRYPTO_memcmp(has->data, wants->data, has->len) == 0;
}

size_t x509_read_certs(const struct buf *pem, X509 *ret[static 2])
{
    struct err unwritten;
    cleanup_buf struct buf again = BUF_INIT(X509_PEM_MAX);
    BIO *bio = open_pem(pem);
    size_t count = 0;
    bool ok = bio;
    while (ok && count < 2 && (ret[count] = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL)
        ok = x509_write_cert(ret[count++], &again, &unwritten) == 0;
    BIO_free(bio);
    ERR_clear_error(); /* the end of the text is one */
    if (ok && count > 0 && same_text(pem, &again))
        return count;
    while (count > 0)
        X509_free(ret[--count]);
    return 0;
}

X509 *x509_read_cert(const struct buf *pem)
{
    X509 *certs[2];
    size_t count = x509_read_certs(pem, certs);
    if (count == 2) {
        X509_free(certs[0]);
        X509_free(certs[1]);
    }
    return count == 1 ? certs[0] : NULL;
}

EVP_PKEY *x509_read_key(const struct buf *pem)
{
    struct err unwritten;
    cleanup_buf_wipe struct buf again = BUF_INIT(X509_PEM_MAX);
    BIO *bio = open_pem(pem);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    if (!key || x509_write_key(key, &again, &unwritten) < 0 || !same_text(pem, &again)) {
        EVP_PKEY_free(key);
        ERR_clear_error();
        return NULL;
    }
    return key;
}

/* Seconds from NOW to TIME; negative if TIME has passed. */
static bool seconds_to(const ASN1_TIME *time, time_t now, time_t *ret)
{
    int days, seconds;
    ASN1_TIME *from = ASN1_TIME_set(NULL, now);
    bool ok = from && ASN1_TIME_diff(&days, &seconds, from, time) == 1;
    ASN1_TIME_free(from);
    if (ok)
        *ret = (time_t)days * 86400 + seconds;
    return ok;
}

bool x509_authority_good(X509 *cert, time_t now)
{
    EVP_PKEY *key = X509_get0_pubkey(cert);
    time_t begun = 0, left = 0;
    return key && X509_check_ca(cert) == 1 && X509_self_signed(cert, 1) == 1 &&
           seconds_to(X509_get0_notBefore(cert), now, &begun) &&
           seconds_to(X509_get0_notAfter(cert), now, &left) && begun <= 0 && left > 0;
}

static bool same_names(const X509 *cert, const struct x509_leaf *leaf)
{
    cleanup_names GENERAL_NAMES *has = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    cleanup_names GENERAL_NAMES *wants = alternative_names(leaf);
    if (!wants || (has ? sk_GENERAL_NAME_num(has) : 0) != sk_GENERAL_NAME_num(wants))
        return false;
    for (int i = 0; i < sk_GENERAL_NAME_num(wants); i++)
        if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(has, i), sk_GENERAL_NAME_value(wants, i)) != 0)
            return false;
    return true;
}

static bool same_subject(X509 *cert, const struct x509_leaf *leaf)
{
    X509_NAME *wants = make_name(leaf->organization, leaf->common_name);
    uint32_t uses = (leaf->server ? XKU_SSL_SERVER : 0) | (leaf->client ? XKU_SSL_CLIENT : 0);
    bool ok = wants && X509_NAME_cmp(X509_get_subject_name(cert), wants) == 0 &&
              X509_get_extended_key_usage(cert) == uses;
    X509_NAME_free(wants);
    return ok;
}

bool x509_fits(const struct buf *cert, const struct buf *key, const X509 *authority,
               const struct x509_leaf *leaf, time_t now, time_t spare_s)
{
    cleanup_x509_pair struct x509_pair has = {.key = x509_read_key(key), .cert = x509_read_cert(cert)};
    EVP_PKEY *issuer = X509_get0_pubkey(authority);
    time_t begun = 0, left = 0;
    bool fits = has.key && has.cert && issuer && X509_check_private_key(has.cert, has.key) == 1 &&
                X509_NAME_cmp(X509_get_issuer_name(has.cert), X509_get_subject_name(authority)) == 0 &&
                X509_verify(has.cert, issuer) == 1 && same_subject(has.cert, leaf) &&
                same_names(has.cert, leaf) && seconds_to(X509_get0_notBefore(has.cert), now, &begun) &&
                seconds_to(X509_get0_notAfter(has.cert), now, &left) && begun <= 0 && left > spare_s;
    ERR_clear_error(); /* an answer, not a failure */
    return fits;
}
