/* minisign's file formats: keys and signatures that minisign(1) reads and writes.
 *
 * In:    the text of a key or signature file, bytes to sign.
 * Out:   structs of bytes; the text of such files.
 * Fails: ERR_VERIFY for signatures, ERR_RECIPE for keys; the message says what was found and what was
 *        expected.
 * Owns:  a struct minisign_secret from minisign_secret_alloc() is in guarded memory, which is wiped when
 *        freed.
 * Never: takes randomness from anywhere but libsodium; signs the same content twice to different bytes.
 *
 * Source: https://jedisct1.github.io/minisign/ ("Signature format", ...), and what minisign 0.11 does. Only
 * prehashed signatures ("ED", Ed25519 over BLAKE2b-512 of the content) are made and accepted; the older "Ed"
 * form needs the whole content in memory and is refused with a hint.
 */
#ifndef BAKE_SEAL_SIGN_MINISIGN_H
#define BAKE_SEAL_SIGN_MINISIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    MINISIGN_ID_SIZE = 8,
    MINISIGN_ID_HEX = 17,
    MINISIGN_DIGEST_SIZE = 64,
    MINISIGN_COMMENT_MAX = 8192,  /* bytes of a trusted comment, minisign's own limit */
    MINISIGN_FILE_MAX = 16 << 10, /* of a key or signature file */
    MINISIGN_PASSPHRASE_MAX = 1024,
    MINISIGN_PUBLIC_TEXT = 57, /* base64 of a public key, with NUL */
};

struct minisign_public {
    uint8_t id[MINISIGN_ID_SIZE]; /* little-endian number, as in the files */
    uint8_t key[crypto_sign_PUBLICKEYBYTES];
};

struct minisign_secret {
    uint8_t id[MINISIGN_ID_SIZE];
    uint8_t key[crypto_sign_SECRETKEYBYTES]; /* seed and public key */
};

/* BLAKE2b-512 of the content. */
void minisign_digest(const void *bytes, size_t len, uint8_t out[static MINISIGN_DIGEST_SIZE]);

/* Guarded memory; NULL when out of memory. */
struct minisign_secret *minisign_secret_alloc(void);
void minisign_secret_free(struct minisign_secret **secret);
#define cleanup_minisign_secret cleanup(minisign_secret_free)

/* A new key from the system's randomness. */
must_check int minisign_generate(struct minisign_secret *secret, struct err *err);
void minisign_public_of(const struct minisign_secret *secret, struct minisign_public *ret);

/* The key id as minisign prints it: 16 upper-case hex digits. */
void minisign_id_text(const uint8_t id[static MINISIGN_ID_SIZE], char out[static MINISIGN_ID_HEX]);
/* "RW...": the form for a command line and for `bake key show`. */
void minisign_public_text(const struct minisign_public *key, char out[static MINISIGN_PUBLIC_TEXT]);

/* What scrypt costs. */
struct minisign_kdf {
    uint64_t opslimit;
    uint64_t memlimit; /* bytes */
};
/* minisign's own: 1 GiB, one to three seconds. */
#define MINISIGN_KDF_SENSITIVE                                                                               \
    {                                                                                                        \
        crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE,                                               \
            crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE                                            \
    }

/* Appends the text of the file. With PASSPHRASE NULL it is not encrypted, and KDF is not used. */
must_check int minisign_write_secret(const struct minisign_secret *secret, const void *passphrase,
                                     size_t passphrase_len, const struct minisign_kdf *kdf, struct buf *ret,
                                     struct err *err);
void minisign_write_public(const struct minisign_public *key, struct buf *ret);

/* Whether a secret key file needs a passphrase. NAME, here and below, is the file's, for messages. */
must_check int minisign_secret_encrypted(const char *text, size_t len, const char *name, bool *ret,
                                         struct err *err);
/* PASSPHRASE may be NULL for a file that is not encrypted. A wrong one is ERR_USAGE. */
must_check int minisign_read_secret(const char *text, size_t len, const char *name, const void *passphrase,
                                    size_t passphrase_len, struct minisign_secret *ret, struct err *err);
/* A public key file, or its one base64 line alone. */
must_check int minisign_read_public(const char *text, size_t len, const char *name,
                                    struct minisign_public *ret, struct err *err);

/* Appends the text of a signature file. The trusted comment must be one line of UTF-8. */
must_check int minisign_sign(const struct minisign_secret *secret,
                             const uint8_t digest[static MINISIGN_DIGEST_SIZE], const char *trusted_comment,
                             struct buf *ret, struct err *err);

/* Also checks the key id and the trusted comment. RET_COMMENT, MINISIGN_COMMENT_MAX + 1 bytes or NULL, is set
 * to the comment with a NUL. */
must_check int minisign_verify(const struct minisign_public *key,
                               const uint8_t digest[static MINISIGN_DIGEST_SIZE], const char *signature,
                               size_t len, const char *name, char *ret_comment, struct err *err);

#endif
