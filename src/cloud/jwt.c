#include "cloud/jwt.h"

#include <string.h>

#include <cjson/cJSON.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sodium.h>

enum { BITS_MIN = 2048, BITS_MAX = 8192, PEM_MAX = 32 << 10 };

/* Nobody is asked for a passphrase. */
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
        return err_set(err, ERR_RECIPE, 0, "the private key is larger than one can be");
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    if (!key)
        return err_set(err, ERR_RECIPE, 0,
                       "the private key is not one that can be read (PEM, not encrypted)");
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

static void add_base64(struct buf *buf, const void *bytes, size_t len)
{
    size_t room = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *text = malloc(room);
    if (!text) {
        buf->failed = true;
        return;
    }
    sodium_bin2base64(text, room, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    buf_str(buf, text);
    sodium_memzero(text, room);
    free(text);
}

/* An object of strings that are there. */
static cJSON *strings(const char *const pairs[][2], size_t count)
{
    cJSON *object = cJSON_CreateObject();
    for (size_t i = 0; object && i < count; i++)
        if (pairs[i][1] && !cJSON_AddStringToObject(object, pairs[i][0], pairs[i][1])) {
            cJSON_Delete(object);
            return NULL;
        }
    return object;
}

static int add_json(struct buf *buf, cJSON *object, struct err *err)
{
    char *text = object ? cJSON_PrintUnformatted(object) : NULL;
    cJSON_Delete(object);
    if (!text)
        return err_oom(err);
    add_base64(buf, text, strlen(text));
    cJSON_free(text);
    return 0;
}

static cJSON *claims_object(const struct jwt_claims *claims)
{
    const char *const pairs[][2] = {{"iss", claims->issuer},
                                    {"sub", claims->subject},
                                    {"scope", claims->scope},
                                    {"aud", claims->audience}};
    cJSON *object = strings(pairs, sizeof pairs / sizeof *pairs);
    if (object && cJSON_AddNumberToObject(object, "iat", (double)claims->issued_s) &&
        cJSON_AddNumberToObject(object, "exp", (double)(claims->issued_s + JWT_LIFETIME_S)))
        return object;
    cJSON_Delete(object);
    return NULL;
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
    add_base64(text, signature, len);
    return 0;
}

int jwt_sign(EVP_PKEY *key, const struct jwt_claims *claims, struct buf *ret, struct err *err)
{
    const char *const header[][2] = {{"alg", "RS256"}, {"typ", "JWT"}, {"kid", claims->key_id}};
    if (add_json(ret, strings(header, 3), err) < 0)
        return -1;
    buf_str(ret, ".");
    if (add_json(ret, claims_object(claims), err) < 0 || buf_check(ret, "a signed token", err) < 0 ||
        sign(key, ret, err) < 0)
        return -1;
    return buf_check(ret, "a signed token", err);
}
