/* The pod network as containerd needs it: one CNI configuration, /etc/cni/net.d/10-bake.conflist.
 *
 * In:    the recipe's network, metadata; for flannel what flanneld wrote, for calico what calico-node wrote.
 * Out:   the configuration. With flannel and calico it exists only once their daemon has this node's range;
 *        until then a file of an earlier boot is removed. For flannel also the network's parameters, which
 *        flanneld reads.
 * Fails: ERR_VERIFY for a subnet file that is not exactly as flanneld writes it, or is outside the cluster's
 *        range; ERR_IO.
 * Owns:  CNI_FILE, CNI_FLANNEL_NET.
 * Never: calls flannel's CNI plugin, which would only write what is written here.
 * Source: the CNI specification 0.4.0; the plugins' documentation; flannel v0.28, WriteSubnetFile
 *         (its values are the network, the range's first address with the range's bits, a number,
 *         true or false); calico v3.32, manifests/calico.yaml.
 */
#ifndef BAKE_AGENT_NET_CNI_H
#define BAKE_AGENT_NET_CNI_H

#include "node/metadata.h"
#include "agent/os/root.h"

#define CNI_FILE            "/etc/cni/net.d/10-bake.conflist"
#define CNI_FLANNEL_NET     "/run/bake/flannel.json"
#define CNI_FLANNEL_SUBNET  "/run/flannel/subnet.env"
#define CNI_CALICO_NODENAME "/var/lib/calico/nodename"

struct cni_flannel {
    char cidr[VALUE_CIDR_CAP]; /* this node's range */
    unsigned mtu;
    bool masquerades; /* flanneld does, so the bridge plugin must not */
};

/* TEXT: a subnet.env. */
must_check int cni_flannel_parse(const char *text, const char *pod_cidr, struct cni_flannel *ret,
                                 struct err *err);

/* NETWORK is "vxlan", "flannel" or "calico". *RET_READY: the configuration is there. */
must_check int cni_write(const struct root *root, const struct node_metadata *metadata, const char *network,
                         bool *ret_ready, struct err *err);

#endif
