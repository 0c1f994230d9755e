/* A member that takes a lost one's place, through the members that are left.
 *
 * In:    metadata, a living quorum's list of members.
 * Out:   this node's name and peer URL in that list once, under a new id; the list for ETCD_INITIAL_CLUSTER.
 * Fails: ERR_NETWORK with what each member said. To be tried again: every step may have been done or not, and
 *        the next try starts from the list as it is then. ERR_IO, ERR_SPACE, ERR_INTERNAL: this machine, at
 *        once.
 * Owns:  nothing.
 * Never: changes anything before the disk is marked. Uses an entry that is there already: whoever had it may
 *        have voted. Removes another listed node's member, started or not: that one sees to it itself.
 * Source: https://etcd.io/docs/v3.4/op-guide/runtime-configuration/ (remove first, then add, one at a time);
 *         what etcd refuses: "unhealthy cluster" until all members have been connected for five seconds, "not
 *         enough started members" while another's new entry has not started
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

/* True if a living quorum says that this node is not a member. False, too, if there is no answer. */
bool replace_removed(const struct replace *self);

#endif
