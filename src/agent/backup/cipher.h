/* An encrypted snapshot, as a bucket keeps it.
 *
 * In:    a 32-byte key that follows from the cluster's secret; the snapshot's full name in the bucket; files.
 * Out:   "bake-snapshot 1\n", 8 bytes that tell keys apart, the header of a crypto_secretstream, then sealed
 *        pieces: first the name, then the file in pieces of CIPHER_PIECE bytes, the last one marked as such.
 * Fails: ERR_VERIFY: another key, another name, any byte changed, removed or added; ERR_IO, ERR_SPACE.
 * Never: says that a file is whole before its last piece has been opened.
 * Source: https://doc.libsodium.org/secret-key_cryptography/secretstream
 */
#ifndef BAKE_AGENT_BACKUP_CIPHER_H
#define BAKE_AGENT_BACKUP_CIPHER_H

#include "agent/os/root.h"

enum { CIPHER_KEY_SIZE = 32, CIPHER_PIECE = 64 << 10, CIPHER_NAME_MAX = 512 };

struct cipher_key {
    unsigned char bytes[CIPHER_KEY_SIZE];
};

/* PKI_SNAPSHOT_KEY. ERR_VERIFY if it is missing or malformed. */
must_check int cipher_read_key(const struct root *root, struct cipher_key *ret, struct err *err);
void cipher_clear_key(struct cipher_key *key);
#define cleanup_cipher_key cleanup(cipher_clear_key)

must_check int cipher_seal(const struct cipher_key *key, const char *name, int from, int to, struct err *err);

/* NAME is the one that the snapshot must have been sealed with. */
must_check int cipher_open(const struct cipher_key *key, const char *name, int from, int to, struct err *err);

#endif
