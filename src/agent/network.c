#include "agent/network.h"

#include <string.h>

#include "agent/config/acquire.h"
#include "agent/config/configure.h"
#include "agent/net/cni.h"
#include "agent/net/firewall.h"
#include "agent/net/vxlan.h"

int network_run(const struct root *root, const struct log *log, struct err *err)
{
    struct node_metadata m;
    char word[NETWORK_WORD_CAP];
    bool found = false, pods = false;
    if (acquire_last(root, &m, &found, err) < 0 || configure_network_word(root, word, err) < 0)
        return -1;
    if (!found)
        return err_set(err, ERR_VERIFY, 0, "no metadata: run `bake-agent boot` first");
    if (firewall_guard(root, &pods, err) < 0)
        return err_wrap(err, "firewall");
    if (!pods && m.role != NODE_ROLE_WITNESS)
        log_line(log, "pods on the host's network that run as root reach the metadata server: this needs "
                      "version 2 of cgroups, and the kernel's match of them");
    if (m.role == NODE_ROLE_WITNESS)
        return 0;
    bool own = strcmp(word, "vxlan") == 0;
    if (firewall_set(root, &m, own, err) < 0)
        return err_wrap(err, "firewall");
    bool ready = false;
    /* the CNI configuration last: pods start as soon as it exists */
    if ((own && vxlan_set(root, &m, err) < 0) || cni_write(root, &m, word, &ready, err) < 0)
        return err_wrap(err, "pod network");
    if (ready)
        log_line(log, own ? "firewall and pod network set" : "firewall and CNI configuration set");
    else
        log_line(log, strcmp(word, "flannel") == 0 ? "firewall set; pods wait for flanneld"
                                                   : "firewall set; pods wait for calico-node");
    return 0;
}
