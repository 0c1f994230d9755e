/* What members say to each other before there is a cluster: one question, one answer, each one sealed packet (sealed.h).
 *
 * In:    bytes that a sealed packet held.
 * Out:   type, echo, list, cluster, from, to; in an answer also incarnation, state, roster. Numbers are one byte, words
 *        a length byte and that many bytes, addresses 4 bytes.
 * Fails: by answering false: a byte too few or too many, a word that is no name, a roster that breaks its rules.
 * Owns:  nothing.
 * Never: reads one message in two ways: each has exactly one encoding.
 */
#ifndef BAKE_AGENT_ETCD_PEER_MESSAGE_H
#define BAKE_AGENT_ETCD_PEER_MESSAGE_H

#include "agent/etcd/member_state.h"
#include "agent/etcd/box.h"

enum { PEER_MESSAGE_ECHO_SIZE = 16, PEER_MESSAGE_LIST_SIZE = 16 };

enum peer_message_type { PEER_MESSAGE_QUESTION = 1, PEER_MESSAGE_ANSWER = 2 };

struct peer_message {
    enum peer_message_type type;
    unsigned char echo[PEER_MESSAGE_ECHO_SIZE]; /* random in a question, the same in its answer */
    unsigned char list[PEER_MESSAGE_LIST_SIZE]; /* a digest of the sender's cluster-nodes */
    char cluster[VALUE_NAME_CAP], from[VALUE_NAME_CAP], to[VALUE_NAME_CAP];
    unsigned char id[ROSTER_ID_SIZE];
    enum member_phase state;
    struct member_roster roster;
};

/* Everything but type, echo and `to` of a message from this member. */
void peer_message_start(const struct node_metadata *metadata, struct peer_message *ret);

/* Into RET, which holds every message; its length. */
size_t peer_message_write(const struct peer_message *message, unsigned char ret[BOX_MESSAGE_MAX]);
must_check bool peer_message_read(const unsigned char *bytes, size_t len, struct peer_message *ret);

#endif
