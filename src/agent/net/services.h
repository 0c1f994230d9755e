/* How kube-proxy routes services on this node.
 *
 * Out:    a mode of kube-proxy's: "nftables" where the base and its kernel can, else "iptables". The first
 *         call after a boot decides, and keeps it in SERVICES_MODE.
 * Fails:  ERR_IO if that file cannot be read or written.
 * Source: kube-proxy's own conditions: nft 1.0.1, Linux 5.13. With less it would not start in that mode.
 */
#ifndef BAKE_AGENT_NET_SERVICES_H
#define BAKE_AGENT_NET_SERVICES_H

#include "agent/os/root.h"

#define SERVICES_MODE "/run/bake/proxy-mode"

must_check int services_mode(const struct root *root, const char **ret, struct err *err);

/* For services_mode(): whether TEXT, which begins with PREFIX and then a number, says at least WANTED. */
bool services_at_least(const char *text, const char *prefix, const unsigned wanted[static 3]);

#endif
