/* `bake-agent network`: the pod network between the members, and what pods must not reach.
 *
 * In:    the metadata that boot kept, the recipe's network.
 * Out:   the firewall's rules (firewall.h), and the CNI configuration (cni.h). For "vxlan" besides: the device bake.1 with a
 *        route to each other member's pods. flannel and calico see to their own; their units run this once more when they
 *        are up, and only then pods get a network.
 * Fails: ERR_IO with what ip(8) or iptables(8) said.
 * Owns:  the device bake.1. It is made anew at each run, so that nothing stays of members that are gone; pods' packets
 *        are lost for some milliseconds then.
 * Never: needs the API for "vxlan": each member's range and address follow from metadata alone, so pods have a network
 *        before there is an API server.
 *
 * The device is flannel's design: no learning and no multicast; a route, a neighbour and a forwarding entry for each
 * member, whose hardware address follows from its IP address.
 */
#ifndef BAKE_AGENT_NETWORK_H
#define BAKE_AGENT_NETWORK_H

#include "node/metadata.h"
#include "agent/os/root.h"
#include "agent/os/log.h"

#define NETWORK_DEVICE "bake.1"

enum { NETWORK_MTU = 1410, NETWORK_VNI = 1, NETWORK_PORT = 8472 };

must_check int network_run(const struct root *root, const struct say *say, struct err *err);

#endif
