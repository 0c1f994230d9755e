/* A UDP packet that only members of the cluster can make or read.
 *
 * In:    a 32-byte key that all members derive from the cluster's secret; a short message.
 * Out:   "BKR", a version byte, 24 random bytes, the message under crypto_secretbox (XSalsa20, Poly1305).
 * Fails: by answering false: too long, too short, another version, another key, one bit changed.
 * Owns:  nothing.
 * Never: tells why a packet does not open: what is not sealed by a member is noise. It says nothing about when a packet
 *        was sealed: whoever asks puts a random number into the question and looks for it in the answer (packet.h).
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
    BOX_MAX = 1300, /* fits every network's packets whole: GCE's are 1460 bytes */
    BOX_MESSAGE_MAX = BOX_MAX - BOX_OVERHEAD,
};

must_check bool box_seal(const unsigned char key[BOX_KEY_SIZE], const void *message, size_t len,
                         unsigned char ret[BOX_MAX], size_t *ret_len);

must_check bool box_open(const unsigned char key[BOX_KEY_SIZE], const unsigned char *packet, size_t len,
                         unsigned char ret[BOX_MESSAGE_MAX], size_t *ret_len);

#endif
