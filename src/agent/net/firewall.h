/* What pods may not reach, and how they reach the world.
 *
 * In:    metadata.
 * Out:   chains of our own in iptables, called BAKE-*, and one jump to each. Replaced whole, in one commit a
 *        table.
 * Fails: ERR_IO with what iptables said.
 * Owns:  the chains.
 * Never: touches another rule; works in only one of iptables' two backends.
 *
 * The metadata server has the cluster's secret, so no packet that the node forwards may go there. It is
 * refused in mangle's FORWARD: that is after a service's address was translated (a service whose endpoint is
 * 169.254.169.254 does not get around it), and before kube-proxy's own accepting rules. Pods with the host's
 * network are the host, and reach it.
 */
#ifndef BAKE_AGENT_NET_FIREWALL_H
#define BAKE_AGENT_NET_FIREWALL_H

#include <stdbool.h>

#include "node/metadata.h"
#include "agent/os/root.h"

/* MASQUERADE: pods' packets to the world get the node's address; flannel and calico see to that
 * themselves. */
must_check int firewall_set(const struct root *root, const struct node_metadata *metadata, bool masquerade,
                            struct err *err);

#endif
