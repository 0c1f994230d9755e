/* Signing keys in files.
 *
 * In:    paths; a way to ask for a passphrase.
 * Out:   key files that only their owner can read; a struct signing_key in guarded memory.
 * Fails: ERR_USAGE: the file exists already, the passphrase is wrong or missing; ERR_RECIPE: not a key file,
 *        or one that others can read; ERR_IO.
 * Owns:  struct signing_key owns the secret until signing_key_free(), which wipes it.
 * Never: overwrites a key, follows a link when it creates one, leaves half a pair behind.
 */
#ifndef BAKE_SEAL_SIGN_KEY_H
#define BAKE_SEAL_SIGN_KEY_H

#include "seal/sign/minisign.h"

struct signing_key {
    struct minisign_secret *secret; /* NULL when empty */
    struct minisign_public public;
};

static inline void signing_key_free(struct signing_key *key)
{
    minisign_secret_free(&key->secret);
}
#define cleanup_signing_key cleanup(signing_key_free)

/* ask() writes at most CAPACITY bytes (no NUL) to OUT, which is guarded memory, and returns 0, or -1 with
 * err. PATH is the key's file. For a new key it should ask twice and refuse passphrases that differ. */
struct passphrase_source {
    int (*ask)(void *ctx, const char *path, char *out, size_t capacity, size_t *ret_len, struct err *err);
    void *ctx;
};

/* "X.key" becomes "X.pub"; any other name gets ".pub" appended. The caller frees it; NULL when out of
 * memory. */
char *key_public_path(const char *path);

/* Creates PATH (0600) and its public half beside it (0644). With PASSPHRASE NULL the key is not encrypted;
 * with KDF NULL it is as strong as minisign's own. The folder must exist. */
must_check int key_new(const char *path, const struct passphrase_source *passphrase,
                       const struct minisign_kdf *kdf, struct minisign_public *ret, struct err *err);

/* PASSPHRASE is used only when the file is encrypted; then NULL is an error. */
must_check int key_load(const char *path, const struct passphrase_source *passphrase, struct signing_key *ret,
                        struct err *err);

/* TEXT_OR_PATH: a public key's file, or the base64 line itself ("RW..."). */
must_check int key_public_load(const char *text_or_path, struct minisign_public *ret, struct err *err);

#endif
