/* A member's place in cluster-nodes, its slot, and the pod range that goes with it.
 *
 * In:    metadata.
 * Out:   each slot's /24 of cluster-pod-cidr: slot 0 has the first, and so on.
 * Fails: ERR_VERIFY when the range is too small for the members, or this node's slot is another one than
 *        before: its pods have addresses of the old one, and so has what the other members know of it.
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

/* Keeps this node's slot where there was none. */
must_check int slot_check(const struct root *root, const struct node_metadata *metadata, struct err *err);

#endif
