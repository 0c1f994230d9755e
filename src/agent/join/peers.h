/* The members of one cluster ask each other, before etcd runs, how far each disk has come.
 *
 * In:    the cluster's members, the key of their boxes, a UDP port.
 * Out:   one reply for each member that answered in time. When answering: what is on disk at that moment.
 * Fails: ERR_NETWORK, ERR_IO: a socket or the disk. A silent member or a meaningless packet is not a failure.
 * Owns:  nothing; the caller owns peers_listen()'s descriptor.
 * Never: accepts an answer to a question that it did not ask, or answers a packet that no member sealed.
 *        Reports what is not durable: the answering side reads files that were renamed into place after
 *        fsync, the incarnation first, and keeps nothing in memory. If a file changes meanwhile, it reports
 *        an older state, as a delayed packet would; join.h allows for that.
 */
#ifndef BAKE_AGENT_JOIN_PEERS_H
#define BAKE_AGENT_JOIN_PEERS_H

#include <netinet/in.h>

#include "agent/etcd/peer_message.h"
#include "agent/os/log.h"

enum { PEERS_PORT = 2378, PEERS_REPORTED_MAX = 32, PEERS_RESEND_MS = 200 };

#define PEERS_KEY "/etc/kubernetes/pki/agent/peer.key"

struct peers_key {
    unsigned char bytes[BOX_KEY_SIZE];
};

/* Senders whose packets do not open and were reported: each is reported once. */
struct peers_reported {
    in_addr_t senders[PEERS_REPORTED_MAX];
    size_t count;
};

struct peers {
    const struct root *root;
    const struct node_metadata *metadata;
    const struct peers_key *key;
    const struct log *log;
    struct peers_reported *reported;
    uint16_t port;
};

struct peers_reply {
    bool got, same_list; /* same_list: it has the same cluster-nodes */
    unsigned char id[ROSTER_ID_SIZE];
    enum member_phase phase;
    struct member_roster roster;
};

/* PEERS_KEY: 64 hex digits. ERR_VERIFY if it is missing or malformed. */
must_check int peers_read_key(const struct root *root, struct peers_key *ret, struct err *err);
void peers_clear_key(struct peers_key *key);
#define cleanup_peers_key cleanup(peers_clear_key)

/* A socket on IP and PORT that does not block. */
must_check int peers_listen(const char *ip, uint16_t port, int *ret_fd, struct err *err);

/* Answers what has arrived, at most 64 packets. To be called when FD is readable. */
must_check int peers_answer(int fd, const struct peers *self, struct err *err);

/* Asks all other members at once, again and again, until each has answered or LIMIT_MS is over. REPLIES are
 * by their place in metadata->nodes; one's own stays empty. */
must_check int peers_ask(const struct peers *self, unsigned limit_ms,
                         struct peers_reply replies[NODE_MEMBERS_MAX], struct err *err);

#endif
