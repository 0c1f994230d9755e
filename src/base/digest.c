#include "base/digest.h"

#include <string.h>

#include <openssl/evp.h>

static size_t digest_size(enum digest_kind kind)
{
    return kind == DIGEST_SHA512 ? 64 : kind == DIGEST_SHA256 ? 32 : 20;
}

int hasher_init(struct hasher *hasher, enum digest_kind kind, struct err *err)
{
    const EVP_MD *md = kind == DIGEST_SHA512   ? EVP_sha512()
                       : kind == DIGEST_SHA256 ? EVP_sha256()
                                               : EVP_sha1();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx)
        return err_oom(err);
    if (EVP_DigestInit_ex(ctx, md, NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        return err_set(err, ERR_INTERNAL, 0, "OpenSSL cannot start a digest");
    }
    hasher->ctx = ctx;
    hasher->kind = kind;
    return 0;
}

int hasher_add(struct hasher *hasher, const void *bytes, size_t len, struct err *err)
{
    if (EVP_DigestUpdate(hasher->ctx, bytes, len) != 1)
        return err_set(err, ERR_INTERNAL, 0, "OpenSSL cannot continue a digest");
    return 0;
}

int hasher_end(struct hasher *hasher, uint8_t *out, struct err *err)
{
    unsigned len = 0;
    if (EVP_DigestFinal_ex(hasher->ctx, out, &len) != 1 || len != digest_size(hasher->kind))
        return err_set(err, ERR_INTERNAL, 0, "OpenSSL cannot finish a digest");
    return 0;
}

void hasher_free(struct hasher *hasher)
{
    EVP_MD_CTX_free(hasher->ctx);
    hasher->ctx = NULL;
}

int sha256_of(const void *bytes, size_t len, struct sha256 *ret, struct err *err)
{
    cleanup_hasher struct hasher hasher = {0};
    struct sha256 out;
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0 || hasher_add(&hasher, bytes, len, err) < 0 ||
        hasher_end(&hasher, out.bytes, err) < 0)
        return -1;
    *ret = out;
    return 0;
}

bool sha256_equal(const struct sha256 *a, const struct sha256 *b)
{
    return memcmp(a->bytes, b->bytes, SHA256_SIZE) == 0;
}
