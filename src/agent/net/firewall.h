/* What pods must not reach, and how they reach the outside world.
 *
 * In:    metadata.
 * Out:   iptables chains named BAKE-*, and one jump to each. Replaced as a whole, one commit per table.
 * Fails: ERR_IO with the output of iptables.
 * Owns:  the chains.
 * Never: touches other rules; depends on which of iptables' two backends is in use.
 *
 * The metadata server has the cluster's secret, so no forwarded packet may reach it. Such packets are dropped
 * in mangle's FORWARD chain: after a service's address is translated, so that a service whose endpoint is
 * 169.254.169.254 does not get around it, and before kube-proxy's accepting rules.
 *
 * Of the node itself only root's processes reach it, and none of a pod's; its name service and its clock,
 * all.
 */
#ifndef BAKE_AGENT_NET_FIREWALL_H
#define BAKE_AGENT_NET_FIREWALL_H

#include <stdbool.h>

#include "node/metadata.h"
#include "agent/os/root.h"

/* On every node, a witness too: who may ask the metadata server. *RET_PODS: also pods on the host's network
 * that run as root are kept away, by their group. That needs version 2 of groups, and a match that not every
 * kernel has. */
must_check int firewall_guard(const struct root *root, bool *ret_pods, struct err *err);

/* MASQUERADE: pods' packets to the outside get the node's address; flannel and calico do this themselves. */
must_check int firewall_set(const struct root *root, const struct node_metadata *metadata, bool masquerade,
                            struct err *err);

#endif
