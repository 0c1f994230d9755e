/* The pod network between the members: a VXLAN device with a route to each other member's pods.
 *
 * In:    metadata.
 * Out:   the device bake.1 and its routes, neighbours and forwarding entries.
 * Fails: ERR_IO with what ip(8) or bridge(8) printed.
 * Owns:  the device. Each run makes it anew, so that nothing remains of members that are gone; pods lose
 *        packets for a few milliseconds.
 * Never: needs the API: each member's range and addresses follow from metadata, so pods have a network before
 *        there is an API server.
 *
 * The design is flannel's: no learning, no multicast; a route, a neighbour and a forwarding entry for each
 * member, whose hardware address follows from its IP address.
 */
#ifndef BAKE_AGENT_NET_VXLAN_H
#define BAKE_AGENT_NET_VXLAN_H

#include "agent/os/root.h"
#include "node/metadata.h"

#define VXLAN_DEVICE "bake.1"

/* Compute Engine's 1460 less the 50 bytes of a VXLAN header. */
#define VXLAN_MTU 1410

enum { VXLAN_VNI = 1, VXLAN_PORT = 8472 };

must_check int vxlan_set(const struct root *root, const struct node_metadata *metadata, struct err *err);

#endif
