#include "node/cluster_secret.h"

#include <string.h>

#include <sodium.h>

#include "text/base64.h"

static int refuse(struct err *err)
{
    return err_set(err, ERR_VERIFY, 0, "it must be base64 of 32 random bytes: 44 characters");
}

/* 32 random bytes have 30 different values on average, and fewer than 16 less than once in 2^80. */
static bool looks_random(const unsigned char bytes[CLUSTER_SECRET_SIZE])
{
    bool seen[256] = {false};
    size_t different = 0;
    for (size_t i = 0; i < CLUSTER_SECRET_SIZE; i++) {
        different += !seen[bytes[i]];
        seen[bytes[i]] = true;
    }
    return different >= 16;
}

int cluster_secret_parse(const char *base64, struct cluster_secret *ret, struct err *err)
{
    struct cluster_secret made = {.set = true};
    size_t len = strlen(base64);
    len -= len > 0 && base64[len - 1] == '\n'; /* of an attribute set from a file */
    if (!base64_read(base64, len, made.bytes, sizeof made.bytes)) {
        cluster_secret_clear(&made);
        return refuse(err);
    }
    if (!looks_random(made.bytes)) {
        cluster_secret_clear(&made);
        return err_set(err, ERR_VERIFY, 0, "these bytes are not random: `bake metadata` makes some");
    }
    *ret = made;
    cluster_secret_clear(&made);
    return 0;
}

void cluster_secret_derive(const struct cluster_secret *secret, const char *cluster, const char *label,
                           unsigned char ret[DERIVED_KEY_SIZE])
{
    static const char version[] = "bake v1";
    crypto_generichash_state state;
    crypto_generichash_init(&state, secret->bytes, sizeof secret->bytes, DERIVED_KEY_SIZE);
    crypto_generichash_update(&state, (const unsigned char *)version, sizeof version);
    crypto_generichash_update(&state, (const unsigned char *)label, strlen(label) + 1);
    crypto_generichash_update(&state, (const unsigned char *)cluster, strlen(cluster) + 1);
    crypto_generichash_final(&state, ret, DERIVED_KEY_SIZE);
    sodium_memzero(&state, sizeof state);
}

void cluster_secret_take_next(const struct cluster_secret *secret, struct cluster_secret *ret)
{
    *ret = (struct cluster_secret){.set = secret->has_next};
    memcpy(ret->bytes, secret->next, sizeof ret->bytes);
}

void cluster_secret_clear(struct cluster_secret *secret)
{
    sodium_memzero(secret, sizeof *secret);
}
