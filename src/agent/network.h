/* `bake-agent network`: the pod network between the members, and what pods must not reach.
 *
 * In:    the metadata that boot saved, the recipe's pod network.
 * Out:   the firewall's rules (net/firewall.h) and the CNI configuration (net/cni.h); for "vxlan" also the
 *        device of net/vxlan.h. flannel and calico set up their own network; their units run this command
 *        again once they are up, and only then do pods get a network.
 * Fails: ERR_IO with what ip(8) or iptables(8) printed.
 */
#ifndef BAKE_AGENT_NETWORK_H
#define BAKE_AGENT_NETWORK_H

#include "agent/os/log.h"
#include "agent/os/root.h"

must_check int network_run(const struct root *root, const struct log *log, struct err *err);

#endif
