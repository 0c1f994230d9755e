/* A member's slot, which is its place in cluster-nodes, and the pod range of that slot.
 *
 * In:    metadata.
 * Out:   each slot's /24 of cluster-pod-cidr, in order: slot 0 has the first.
 * Fails: ERR_VERIFY if the range is too small for the members, or if this node's slot changed: its pods and
 *        the other members' routes use the old one's addresses.
 * Owns:  /var/lib/bake/slot.
 */
#ifndef BAKE_AGENT_NET_SLOTS_H
#define BAKE_AGENT_NET_SLOTS_H

#include "node/metadata.h"
#include "agent/os/root.h"

enum { SLOT_BITS = 24 };

/* "10.244.1.0" of slot 1, offset by NTH addresses. */
void slot_address(const struct node_metadata *metadata, size_t slot, unsigned nth,
                  char ret[static VALUE_IP_CAP]);
/* "10.244.1.0/24" */
void slot_cidr(const struct node_metadata *metadata, size_t slot, char ret[static VALUE_CIDR_CAP]);

/* Also saves this node's slot on the first run. */
must_check int slot_check(const struct root *root, const struct node_metadata *metadata, struct err *err);

#endif
