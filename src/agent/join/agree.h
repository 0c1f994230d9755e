/* Which list of members counts, once a cluster runs: decisions without side effects.
 *
 * Each member publishes in etcd the cluster-nodes of its metadata (lists.h). A list counts only while its
 * member lives, has a vote, and is on its own list. A node in an instance with an old list is thus one voice
 * among others, and a newcomer has none.
 *
 * In:    etcd's members, and what is known of each.
 * Out:   whether a newcomer may join; the member that is to be removed.
 * Never: removes a member that lives, or one that half of the living still list; or any unless most members
 *        serve and have published their lists.
 *
 * Removing a dead member is safe for the quorum: it lowers the number of votes and of nobody who can vote. So
 * no order of removals, and no two at once, can end a cluster that has a quorum; what could is the removal of
 * living members, and nobody does that.
 */
#ifndef BAKE_AGENT_JOIN_AGREE_H
#define BAKE_AGENT_JOIN_AGREE_H

#include "agent/etcd/api.h"
#include "node/metadata.h"

enum { AGREE_LIST_CAP = NODE_MEMBERS_MAX * (VALUE_NAME_CAP + VALUE_IP_CAP) + 1, AGREE_NOBODY = -1 };

struct agree_view {
    char list[AGREE_LIST_CAP]; /* as in cluster-nodes; "": it has published none, or does not live */
    bool answers;              /* something answers at its peer URL */
};

/* What is known of etcd's members, by their index. */
struct agree {
    struct etcd_members members;
    struct agree_view views[ETCD_MEMBERS_MAX];
};

/* Whether more than half of the lists have this node, or none is published. */
bool agree_admits(const struct agree *agree, const struct node_member *newcomer);

/* Whether more than half of the living have published lists without this member. */
bool agree_unlists(const struct agree *agree, size_t member);

/* The index of a member to remove, or AGREE_NOBODY. */
int agree_removal(const struct agree *agree);

/* The IPv4 address or name, and the port, of a peer URL; false if it has none. */
bool agree_peer(const struct etcd_member *member, struct wire_peer *ret);

#endif
