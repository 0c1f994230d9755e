/* Minisign files from hostile bytes: public keys, secret keys, signatures. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "seal/sign/minisign.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What was read must be the same when written and read again. */
static void round_trip(const struct minisign_public *key)
{
    struct err err = {0};
    struct minisign_public again;
    cleanup_buf struct buf text = BUF_INIT(MINISIGN_FILE_MAX);
    minisign_write_public(key, &text);
    if (minisign_read_public(text.data, text.len, "fuzz", &again, &err) < 0 ||
        memcmp(&again, key, sizeof again) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct err err = {0};
    struct minisign_public key;
    const char *text = (const char *)bytes;
    uint8_t digest[MINISIGN_DIGEST_SIZE];
    bool encrypted = false;
    cleanup_free char *comment = malloc(MINISIGN_COMMENT_MAX + 1);
    cleanup_minisign_secret struct minisign_secret *secret = minisign_secret_alloc();
    if (!secret || !comment)
        return 0;
    if (minisign_read_public(text, len, "fuzz", &key, &err) == 0)
        round_trip(&key);
    /* no passphrase: scrypt is too slow */
    if (minisign_secret_encrypted(text, len, "fuzz", &encrypted, &err) == 0 &&
        minisign_read_secret(text, len, "fuzz", NULL, 0, secret, &err) == 0 && encrypted)
        abort();
    memset(&key, 0, sizeof key);
    minisign_digest("", 0, digest);
    if (minisign_verify(&key, digest, text, len, "fuzz", comment, &err) == 0 &&
        strlen(comment) > MINISIGN_COMMENT_MAX)
        abort();
    return 0;
}
