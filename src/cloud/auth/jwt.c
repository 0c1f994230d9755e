#include "cloud/auth/jwt.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "json/write.h"
#include "text/base64.h"

enum { BITS_MIN = 2048, BITS_MAX = 8192, PEM_MAX = 32 << 10, PART_MAX = 32 << 10 };

/* Keeps OpenSSL from asking for a passphrase. */
/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL gives the type */
static int no_passphrase(char *to, int size, int writing, void *ctx)
{
    (void)to;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

int jwt_key_read(const char *pem, EVP_PKEY **ret, struct err *err)
{
    size_t len = strnlen(pem, PEM_MAX + 1);
    if (len > PEM_MAX)
        return err_set(err, ERR_RECIPE, 0, "the private key is too large");
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    if (!key)
        return err_set(err, ERR_RECIPE, 0, "the private key cannot be read: expected PEM, not encrypted");
    int bits = EVP_PKEY_get_bits(key);
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || bits < BITS_MIN || bits > BITS_MAX) {
        EVP_PKEY_free(key);
        return err_set(err, ERR_RECIPE, 0, "the private key must be RSA with %d to %d bits", BITS_MIN,
                       BITS_MAX);
    }
    *ret = key;
    return 0;
}

void jwt_key_free(EVP_PKEY *key)
{
    EVP_PKEY_free(key); /* clears its numbers */
}

static int add_encoded(struct buf *buf, const struct buf *text, const struct json_writer *json,
                       struct err *err)
{
    if (json_write_end(json, "a signed token", err) < 0)
        return -1;
    base64_add_url(buf, text->data, text->len);
    return 0;
}

static int add_header(struct buf *buf, const char *key_id, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(PART_MAX);
    struct json_writer json = {.buf = &text};
    json_open(&json, NULL, '{');
    json_string(&json, "alg", "RS256");
    json_string(&json, "typ", "JWT");
    if (key_id)
        json_string(&json, "kid", key_id);
    json_close(&json, '}');
    return add_encoded(buf, &text, &json, err);
}

static int add_claims(struct buf *buf, const struct jwt_claims *claims, struct err *err)
{
    const char *const pairs[][2] = {{"iss", claims->issuer},
                                    {"sub", claims->subject},
                                    {"scope", claims->scope},
                                    {"aud", claims->audience}};
    cleanup_buf struct buf text = BUF_INIT(PART_MAX);
    struct json_writer json = {.buf = &text};
    json_open(&json, NULL, '{');
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i][1])
            json_string(&json, pairs[i][0], pairs[i][1]);
    json_uint(&json, "iat", (uint64_t)claims->issued_s);
    json_uint(&json, "exp", (uint64_t)claims->issued_s + JWT_LIFETIME_S);
    json_close(&json, '}');
    return add_encoded(buf, &text, &json, err);
}

static int sign(EVP_PKEY *key, struct buf *text, struct err *err)
{
    unsigned char signature[BITS_MAX / 8];
    size_t len = sizeof signature;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool done = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(ctx, signature, &len, (const unsigned char *)text->data, text->len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    if (!done)
        return err_set(err, ERR_INTERNAL, 0, "OpenSSL cannot sign with the private key");
    buf_str(text, ".");
    base64_add_url(text, signature, len);
    return 0;
}

int jwt_sign(EVP_PKEY *key, const struct jwt_claims *claims, struct buf *ret, struct err *err)
{
    if (add_header(ret, claims->key_id, err) < 0)
        return -1;
    buf_str(ret, ".");
    if (add_claims(ret, claims, err) < 0 || buf_check(ret, "a signed token", err) < 0 ||
        sign(key, ret, err) < 0)
        return -1;
    return buf_check(ret, "a signed token", err);
}
