/* The bytes inside minisign's files, and how the files are split into lines. Only for minisign*.c.
 *
 * All members are bytes: no padding, no byte order.
 * Source: the files that minisign 0.11 writes.
 */
#ifndef BAKE_SEAL_SIGN_MINISIGN_FORMAT_H
#define BAKE_SEAL_SIGN_MINISIGN_FORMAT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#define FORMAT_ED25519   "Ed"
#define FORMAT_PREHASHED "ED"
#define FORMAT_SCRYPT    "Sc"
#define FORMAT_NO_KDF    "\0\0"
#define FORMAT_BLAKE2B   "B2"
#define FORMAT_COMMENT   "untrusted comment: "
#define FORMAT_TRUSTED   "trusted comment: "

struct format_public {
    uint8_t algorithm[2];
    uint8_t id[8];
    uint8_t key[crypto_sign_PUBLICKEYBYTES];
};
static_assert(sizeof(struct format_public) == 42, "public key");

struct format_sealed { /* the part that is encrypted, by XOR with scrypt's output */
    uint8_t id[8];
    uint8_t key[crypto_sign_SECRETKEYBYTES];
    uint8_t checksum[32]; /* BLAKE2b-256 of algorithm, id, key; zeros when not encrypted */
};

struct format_secret {
    uint8_t algorithm[2];
    uint8_t kdf[2];
    uint8_t checksum_algorithm[2];
    uint8_t salt[32];
    uint8_t opslimit[8]; /* little-endian */
    uint8_t memlimit[8]; /* little-endian, bytes */
    struct format_sealed sealed;
};
static_assert(sizeof(struct format_secret) == 158, "secret key");

struct format_signature {
    uint8_t algorithm[2];
    uint8_t id[8];
    uint8_t signature[crypto_sign_BYTES];
};
static_assert(sizeof(struct format_signature) == 74, "signature");

struct format_line {
    const char *text;
    size_t len;
};

/* The lines of a file, without their ends (LF or CRLF); 0 when there are more than MAX or the text holds a
 * NUL. */
size_t format_lines(const char *text, size_t len, struct format_line *lines, size_t max);
bool format_has_comment(const struct format_line *line);

#endif
