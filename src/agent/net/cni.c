#include "agent/net/cni.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "agent/net/slots.h"
#include "agent/net/vxlan.h"

enum { CNI_MAX = 4096, SUBNET_MAX = 1024, VALUE_CAP = 32, MTU_LEAST = 576, MTU_MOST = 65535 };

/* --- flannel's subnet file --- */

static int bad_subnet(struct err *err, const char *what)
{
    return err_set(err, ERR_VERIFY, 0, CNI_FLANNEL_SUBNET ": %s", what);
}

/* Copies the value of KEY, which must occur exactly once, and counts its line in LINES. */
static bool read_value(const char *text, const char *key, char ret[static VALUE_CAP], size_t *lines)
{
    size_t len = strlen(key), found = 0;
    for (const char *at = text, *stop; (stop = strchr(at, '\n')) != NULL; at = stop + 1) {
        if ((size_t)(stop - at) <= len || memcmp(at, key, len) != 0 || at[len] != '=')
            continue;
        size_t value = (size_t)(stop - at) - len - 1;
        if (value == 0 || value >= VALUE_CAP || ++found > 1)
            return false;
        snprintf(ret, VALUE_CAP, "%.*s", (int)value, at + len + 1);
    }
    *lines += found;
    return found == 1;
}

/* "10.244.1.1/24" stands for the range 10.244.1.0/24; the address must be the range's first. */
static bool range_of(const char *subnet, const char *pod_cidr, char ret[static VALUE_CIDR_CAP])
{
    char ip[VALUE_CAP], base[VALUE_IP_CAP];
    struct in_addr first;
    snprintf(ip, sizeof ip, "%s", subnet);
    char *slash = strchr(ip, '/');
    if (!slash)
        return false;
    *slash = '\0';
    if (!value_ip_ok(ip) || inet_pton(AF_INET, ip, &first) != 1)
        return false;
    struct in_addr network = {htonl(ntohl(first.s_addr) - 1)};
    if (!inet_ntop(AF_INET, &network, base, sizeof base))
        return false;
    int len = snprintf(ret, VALUE_CIDR_CAP, "%s/%s", base, slash + 1);
    return len > 0 && len < VALUE_CIDR_CAP && value_cidr_ok(ret) && value_cidr_holds(pod_cidr, base) &&
           strtoul(slash + 1, NULL, 10) > strtoul(strchr(pod_cidr, '/') + 1, NULL, 10);
}

int cni_flannel_parse(const char *text, const char *pod_cidr, struct cni_flannel *ret, struct err *err)
{
    char network[VALUE_CAP], subnet[VALUE_CAP], mtu[VALUE_CAP], masquerades[VALUE_CAP];
    size_t lines = 0, all = 0, len = strlen(text);
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        all++;
    if (!read_value(text, "FLANNEL_NETWORK", network, &lines) ||
        !read_value(text, "FLANNEL_SUBNET", subnet, &lines) ||
        !read_value(text, "FLANNEL_MTU", mtu, &lines) ||
        !read_value(text, "FLANNEL_IPMASQ", masquerades, &lines) || lines != all || text[len - 1] != '\n')
        return bad_subnet(err,
                          "not what flanneld writes: FLANNEL_NETWORK, _SUBNET, _MTU and _IPMASQ, once each");
    /* the value is untrusted: it is shown only if it is an address range */
    if (strcmp(network, pod_cidr) != 0)
        return err_set(err, ERR_VERIFY, 0,
                       CNI_FLANNEL_SUBNET ": flannel's network is %s, the cluster's is %s",
                       value_cidr_ok(network) ? network : "no address range", pod_cidr);
    if (!range_of(subnet, pod_cidr, ret->cidr))
        return bad_subnet(err, "FLANNEL_SUBNET is not in the cluster's pod range");
    unsigned long size = value_id_ok(mtu) && strlen(mtu) <= 5 ? strtoul(mtu, NULL, 10) : 0;
    if (size < MTU_LEAST || size > MTU_MOST)
        return bad_subnet(err, "FLANNEL_MTU is not a packet size");
    ret->mtu = (unsigned)size;
    ret->masquerades = strcmp(masquerades, "true") == 0;
    if (!ret->masquerades && strcmp(masquerades, "false") != 0)
        return bad_subnet(err, "FLANNEL_IPMASQ is neither true nor false");
    return 0;
}

/* --- configurations --- */

/* Addresses that were given out are kept in /run: after a crash, nothing of what was running is there, and
 * its addresses are free. */
static void write_bridge(const char *cidr, unsigned mtu, bool masquerade, struct buf *ret)
{
    buf_printf(ret,
               "{\n"
               "  \"cniVersion\": \"0.4.0\",\n"
               "  \"name\": \"bake\",\n"
               "  \"plugins\": [\n"
               "    {\n"
               "      \"type\": \"bridge\", \"bridge\": \"cni0\", \"isGateway\": true, \"hairpinMode\": "
               "true, \"mtu\": %u, \"ipMasq\": %s,\n"
               "      \"ipam\": {\n"
               "        \"type\": \"host-local\", \"dataDir\": \"/run/bake-cni\",\n"
               "        \"ranges\": [[{ \"subnet\": \"%s\" }]], \"routes\": [{ \"dst\": \"0.0.0.0/0\" }]\n"
               "      }\n"
               "    },\n"
               "    { \"type\": \"portmap\", \"capabilities\": { \"portMappings\": true } }\n"
               "  ]\n"
               "}\n",
               mtu, masquerade ? "true" : "false", cidr);
}

static void write_calico(const struct node_metadata *m, struct buf *ret)
{
    buf_printf(ret,
               "{\n"
               "  \"cniVersion\": \"0.3.1\",\n"
               "  \"name\": \"calico\",\n"
               "  \"plugins\": [\n"
               "    {\n"
               "      \"type\": \"calico\", \"datastore_type\": \"kubernetes\", \"nodename\": \"%s\", "
               "\"mtu\": %d,\n"
               "      \"log_level\": \"info\", \"log_file_path\": \"/var/log/calico/cni/cni.log\",\n"
               "      \"ipam\": { \"type\": \"calico-ipam\" }, \"policy\": { \"type\": \"k8s\" },\n"
               "      \"calico_api_group\": \"crd.projectcalico.org/v1\",\n"
               "      \"kubernetes\": { \"kubeconfig\": \"/etc/kubernetes/pki/network/kubeconfig\" }\n"
               "    },\n"
               "    { \"type\": \"portmap\", \"snat\": true, \"capabilities\": { \"portMappings\": true } }\n"
               "  ]\n"
               "}\n",
               m->name, VXLAN_MTU);
}

/* flanneld's configuration, written before it starts. Source: flannel's Documentation/configuration.md,
 * backends.md. */
static int write_flannel_net(const struct root *root, const struct node_metadata *m, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(CNI_MAX);
    bool changed;
    buf_printf(&text,
               "{ \"Network\": \"%s\", \"Backend\": { \"Type\": \"vxlan\", \"VNI\": %d, \"Port\": %d } }\n",
               m->pod_cidr, VXLAN_VNI, VXLAN_PORT);
    if (buf_check(&text, CNI_FLANNEL_NET, err) < 0)
        return -1;
    return root_keep(root, CNI_FLANNEL_NET, text.data, text.len, 0600, &changed, err);
}

static int fill_flannel(const struct root *root, const struct node_metadata *m, struct buf *ret,
                        bool *ret_ready, struct err *err)
{
    cleanup_buf struct buf subnet = BUF_INIT(SUBNET_MAX);
    struct cni_flannel flannel;
    if (write_flannel_net(root, m, err) < 0 ||
        root_read(root, CNI_FLANNEL_SUBNET, &subnet, ret_ready, err) < 0)
        return -1;
    if (!*ret_ready)
        return 0;
    if (subnet.len == 0 || memchr(subnet.data, '\0', subnet.len))
        return bad_subnet(err, "empty, or no text");
    if (cni_flannel_parse(subnet.data, m->pod_cidr, &flannel, err) < 0)
        return -1;
    write_bridge(flannel.cidr, flannel.mtu, !flannel.masquerades, ret);
    return 0;
}

/* calico-node writes that file once it has registered this node. */
static int fill_calico(const struct root *root, const struct node_metadata *m, struct buf *ret,
                       bool *ret_ready, struct err *err)
{
    cleanup_buf struct buf name = BUF_INIT(SUBNET_MAX);
    if (root_read(root, CNI_CALICO_NODENAME, &name, ret_ready, err) < 0)
        return -1;
    *ret_ready = *ret_ready && name.len == strlen(m->name) && memcmp(name.data, m->name, name.len) == 0;
    if (*ret_ready)
        write_calico(m, ret);
    return 0;
}

int cni_write(const struct root *root, const struct node_metadata *metadata, const char *network,
              bool *ret_ready, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(CNI_MAX);
    char cidr[VALUE_CIDR_CAP];
    bool changed;
    int status = 0;
    *ret_ready = true;
    if (strcmp(network, "flannel") == 0) {
        status = fill_flannel(root, metadata, &text, ret_ready, err);
    } else if (strcmp(network, "calico") == 0) {
        status = fill_calico(root, metadata, &text, ret_ready, err);
    } else {
        slot_cidr(metadata, metadata->self, cidr);
        write_bridge(cidr, VXLAN_MTU, false, &text);
    }
    if (status < 0 || buf_check(&text, CNI_FILE, err) < 0)
        return -1;
    if (!*ret_ready)
        return root_remove(root, CNI_FILE, err);
    return root_keep(root, CNI_FILE, text.data, text.len, 0600, &changed, err);
}
