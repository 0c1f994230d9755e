/* A sealed box: a datagram that only members of the cluster can make or read.
 *
 * In:    a 32-byte key that all members derive from the cluster's secret; a short message.
 * Out:   "BKR", a version byte, 24 random bytes, the message under crypto_secretbox (XSalsa20, Poly1305).
 * Fails: returns false: too long, too short, another version, another key, any bit changed.
 * Never: tells why a box does not open: anything that a member did not seal is noise. Proves when a box was
 *        sealed: a question carries a random number, and its answer must repeat it (peer_message.h).
 * Source: https://doc.libsodium.org/secret-key_cryptography/secretbox
 */
#ifndef BAKE_AGENT_ETCD_BOX_H
#define BAKE_AGENT_ETCD_BOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

enum {
    BOX_KEY_SIZE = 32,
    BOX_OVERHEAD = 4 + 24 + 16,
    BOX_MAX = 1300, /* never fragmented: GCE's MTU is 1460 bytes */
    BOX_MESSAGE_MAX = BOX_MAX - BOX_OVERHEAD,
};

must_check bool box_seal(const unsigned char key[BOX_KEY_SIZE], const void *message, size_t len,
                         unsigned char ret[BOX_MAX], size_t *ret_len);

must_check bool box_open(const unsigned char key[BOX_KEY_SIZE], const unsigned char *box, size_t len,
                         unsigned char ret[BOX_MESSAGE_MAX], size_t *ret_len);

#endif
