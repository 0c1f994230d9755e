/* Makes a member of this node, new or in the place of a lost one, through the remaining members.
 *
 * In:    metadata, a living quorum's list of members, and the lists of nodes that these publish (agree.h).
 * Out:   this node's name and peer URL among the members once, under a new id, as a learner (keep.h gets it
 *        its vote); the members for ETCD_INITIAL_CLUSTER.
 * Fails: ERR_NETWORK with each member's error; retry: any step may or may not have happened, and the next try
 *        starts from the list as it is then. ERR_IO, ERR_SPACE, ERR_INTERNAL at once: the fault is this
 *        machine's.
 * Never: changes anything before the disk is marked, without the lock, or while most living members do not
 *        list this node. Uses an existing entry: whoever had it may have voted. Removes another node's
 *        member, whatever its own list says.
 * Source: https://etcd.io/docs/v3.4/op-guide/runtime-configuration/ (remove first, then add, one at a time).
 *         etcd refuses with "unhealthy cluster" until all members have been connected for five seconds, and
 *         with "not enough started members" while another new entry has not started
 */
#ifndef BAKE_AGENT_JOIN_REPLACE_H
#define BAKE_AGENT_JOIN_REPLACE_H

#include "agent/etcd/api.h"
#include "node/metadata.h"

struct replace {
    const struct root *root;
    const struct node_metadata *metadata;
    uint16_t client_port, peer_port;
};

/* This node's peer URL. */
void replace_url(const struct replace *self, char ret[ETCD_URL_CAP]);

must_check int replace_run(const struct replace *self, struct etcd_members *ret, struct err *err);

enum replace_place {
    REPLACE_UNKNOWN, /* no quorum answers */
    REPLACE_LISTED,
    REPLACE_REMOVED, /* a living quorum says that this node is not a member */
};

/* RET_WHY, of REPLACE_REMOVED: why this node may not become a member again; ERR_NONE if it may. */
enum replace_place replace_find(const struct replace *self, struct err *ret_why);

#endif
