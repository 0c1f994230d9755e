/* What members say to each other before there is a cluster: one question, one answer, each one sealed packet (sealed.h).
 *
 * In:    bytes that a sealed packet held.
 * Out:   type, echo, list, cluster, from, to; in an answer also incarnation, state, roster. Numbers are one byte, words
 *        a length byte and that many bytes, addresses 4 bytes.
 * Fails: by answering false: a byte too few or too many, a word that is no name, a roster that breaks its rules.
 * Owns:  nothing.
 * Never: reads one message in two ways: each has exactly one encoding.
 */
#ifndef BAKE_AGENT_ETCD_PACKET_H
#define BAKE_AGENT_ETCD_PACKET_H

#include "agent/etcd/member_state.h"
#include "agent/etcd/box.h"

enum { PACKET_ECHO_SIZE = 16, PACKET_LIST_SIZE = 16 };

enum packet_type { PACKET_QUESTION = 1, PACKET_ANSWER = 2 };

struct packet {
    enum packet_type type;
    unsigned char echo[PACKET_ECHO_SIZE]; /* random in a question, the same in its answer */
    unsigned char list[PACKET_LIST_SIZE]; /* a digest of the sender's cluster-nodes */
    char cluster[VALUE_NAME_CAP], from[VALUE_NAME_CAP], to[VALUE_NAME_CAP];
    unsigned char id[ROSTER_ID_SIZE];
    enum disk_state state;
    struct roster roster;
};

/* Everything but type, echo and `to` of a message from this member. */
void packet_start(const struct metadata *metadata, struct packet *ret);

/* Into RET, which holds every message; its length. */
size_t packet_write(const struct packet *packet, unsigned char ret[SEALED_MESSAGE_MAX]);
must_check bool packet_read(const unsigned char *bytes, size_t len, struct packet *ret);

#endif
