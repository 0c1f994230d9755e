#include "agent/net/vxlan.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

#include "agent/net/slots.h"
#include "agent/os/tool.h"

enum { MAC_CAP = 18 };

static const char *const ip_paths[] = {"/usr/sbin/ip", "/usr/bin/ip", "/sbin/ip", "/bin/ip", NULL};
static const char *const bridge_paths[] = {"/usr/sbin/bridge", "/usr/bin/bridge", "/sbin/bridge", NULL};

/* The device with the node's address. */
static int find_device(const char *ip, char ret[static IF_NAMESIZE], struct err *err)
{
    struct ifaddrs *all = NULL;
    struct in_addr wanted = {0};
    bool found = false;
    (void)inet_pton(AF_INET, ip, &wanted);
    if (getifaddrs(&all) < 0)
        return err_sys(err, errno, "list the network devices");
    for (const struct ifaddrs *at = all; at && !found; at = at->ifa_next) {
        struct sockaddr_in address;
        if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET)
            continue;
        memcpy(&address, at->ifa_addr, sizeof address);
        found = address.sin_addr.s_addr == wanted.s_addr;
        snprintf(ret, IF_NAMESIZE, "%s", found ? at->ifa_name : "");
    }
    freeifaddrs(all);
    return found ? 0 : err_set(err, ERR_IO, 0, "no network device has this node's address %s", ip);
}

/* A locally administered address, unique to each IP address. */
static void mac_of(const char *ip, char ret[static MAC_CAP])
{
    unsigned char b[4] = {0};
    (void)inet_pton(AF_INET, ip, b);
    snprintf(ret, MAC_CAP, "0e:ba:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3]);
}

static int make_device(const struct root *root, const struct node_metadata *m, struct err *err)
{
    char device[IF_NAMESIZE], mac[MAC_CAP], own[VALUE_IP_CAP], text[1024];
    if (find_device(m->ip, device, err) < 0)
        return -1;
    mac_of(m->ip, mac);
    slot_address(m, m->self, 0, own);
    if (if_nametoindex(VXLAN_DEVICE) != 0 &&
        tool_run(root, ip_paths, NULL, err, "link", "del", VXLAN_DEVICE, NULL) < 0)
        return -1;
    snprintf(text, sizeof text,
             "link add " VXLAN_DEVICE
             " address %s mtu %d type vxlan id %d dev %s local %s dstport %d nolearning\n"
             "addr add %s/32 dev " VXLAN_DEVICE "\n"
             "link set " VXLAN_DEVICE " up\n",
             mac, VXLAN_MTU, VXLAN_VNI, device, m->ip, VXLAN_PORT, own);
    return tool_run(root, ip_paths, text, err, "-batch", "-", NULL);
}

static int add_members(const struct root *root, const struct node_metadata *m, struct err *err)
{
    cleanup_buf struct buf links = BUF_INIT(16 << 10), routes = BUF_INIT(16 << 10);
    for (size_t i = 0; i < m->node_count; i++) {
        char mac[MAC_CAP], address[VALUE_IP_CAP], cidr[VALUE_CIDR_CAP];
        if (i == m->self)
            continue;
        mac_of(m->nodes[i].ip, mac);
        slot_address(m, i, 0, address);
        slot_cidr(m, i, cidr);
        buf_printf(&links, "fdb replace %s dev " VXLAN_DEVICE " dst %s self permanent\n", mac,
                   m->nodes[i].ip);
        buf_printf(&routes, "neigh replace %s lladdr %s dev " VXLAN_DEVICE " nud permanent\n", address, mac);
        buf_printf(&routes, "route replace %s via %s dev " VXLAN_DEVICE " onlink\n", cidr, address);
    }
    if (buf_check(&links, "members", err) < 0 || buf_check(&routes, "members", err) < 0 || !links.data)
        return links.failed || routes.failed ? -1 : 0; /* no other members */
    if (tool_run(root, bridge_paths, links.data, err, "-batch", "-", NULL) < 0)
        return -1;
    return tool_run(root, ip_paths, routes.data, err, "-batch", "-", NULL);
}

int vxlan_set(const struct root *root, const struct node_metadata *metadata, struct err *err)
{
    return make_device(root, metadata, err) < 0 || add_members(root, metadata, err) < 0 ? -1 : 0;
}
