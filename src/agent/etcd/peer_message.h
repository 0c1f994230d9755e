/* The messages between members before there is a cluster: a question and an answer, each sealed in one box
 * (box.h).
 *
 * In:    the bytes of an opened box.
 * Out:   type, echo, list, cluster, from, to; in an answer also incarnation, phase, roster. Numbers are one
 *        byte, words a length byte and that many bytes, addresses 4 bytes.
 * Fails: returns false: missing or extra bytes, a word that is not a name, a roster that breaks its rules.
 * Never: accepts two encodings of one message.
 */
#ifndef BAKE_AGENT_ETCD_PEER_MESSAGE_H
#define BAKE_AGENT_ETCD_PEER_MESSAGE_H

#include "agent/etcd/member_state.h"
#include "agent/etcd/box.h"

enum { PEER_MESSAGE_ECHO_SIZE = 16, PEER_MESSAGE_LIST_SIZE = 16 };

enum peer_message_type { PEER_MESSAGE_QUESTION = 1, PEER_MESSAGE_ANSWER = 2 };

struct peer_message {
    enum peer_message_type type;
    unsigned char echo[PEER_MESSAGE_ECHO_SIZE]; /* random in a question, repeated in its answer */
    unsigned char list[PEER_MESSAGE_LIST_SIZE]; /* a digest of the sender's cluster-nodes */
    char cluster[VALUE_NAME_CAP], from[VALUE_NAME_CAP], to[VALUE_NAME_CAP];
    unsigned char id[ROSTER_ID_SIZE];
    enum member_phase phase;
    struct member_roster roster;
};

/* Fills in everything but type, echo and `to` of a message from this member. */
void peer_message_start(const struct node_metadata *metadata, struct peer_message *ret);

/* Returns the length. RET holds the longest message. */
size_t peer_message_write(const struct peer_message *message, unsigned char ret[BOX_MESSAGE_MAX]);
must_check bool peer_message_read(const unsigned char *bytes, size_t len, struct peer_message *ret);

#endif
