#include "agent/net/firewall.h"

#include <fcntl.h>

#include "agent/net/slots.h"
#include "agent/os/tool.h"

#define METADATA_ADDRESS  "169.254.169.254"
#define METADATA_ADDRESS6 "fd20:ce::254"
/* kubelet's group of all pods; bake-network.service makes it. Below the root of version 2's groups. */
#define PODS_SLICE "kubepods.slice"

enum { RULES_MAX = 4096 };

static const char *const iptables[] = {"/usr/sbin/iptables", "/usr/bin/iptables", "/sbin/iptables", NULL};
static const char *const restore[] = {"/usr/sbin/iptables-restore", "/usr/bin/iptables-restore",
                                      "/sbin/iptables-restore", NULL};
static const char *const ip6tables[] = {"/usr/sbin/ip6tables", "/usr/bin/ip6tables", "/sbin/ip6tables", NULL};
static const char *const restore6[] = {"/usr/sbin/ip6tables-restore", "/usr/bin/ip6tables-restore",
                                       "/sbin/ip6tables-restore", NULL};

static const struct ip_tools {
    const char *const *tables, *const *restore;
    const char *server; /* the second address is for instances with IPv6 alone */
} ip4 = {iptables, restore, METADATA_ADDRESS "/32"}, ip6 = {ip6tables, restore6, METADATA_ADDRESS6 "/128"};

static int jump(const struct root *root, const char *const *tool, const char *table, const char *from,
                const char *to, bool first, struct err *err)
{
    int code = 0;
    if (tool_ask(root, tool, &code, err, "-w", "-t", table, "-C", from, "-j", to, NULL) < 0)
        return -1;
    if (code == 0)
        return 0;
    return tool_run(root, tool, NULL, err, "-w", "-t", table, first ? "-I" : "-A", from, "-j", to, NULL);
}

/* Owner and group count where a connection begins: the last packets of a closed one have none. */
#define BEGINS "-A BAKE-OWNER -d %s -m conntrack --ctstate NEW"

static int guard(const struct root *root, const struct ip_tools *ip, bool by_group, struct err *err)
{
    cleanup_buf struct buf rules = BUF_INIT(RULES_MAX);
    buf_str(&rules, "*filter\n:BAKE-OWNER - [0:0]\n");
    buf_printf(&rules, "-A BAKE-OWNER -d %s -p udp -m multiport --dports 53,123 -j RETURN\n", ip->server);
    buf_printf(&rules, "-A BAKE-OWNER -d %s -p tcp --dport 53 -j RETURN\n", ip->server);
    if (by_group)
        buf_printf(&rules, BEGINS " -m cgroup --path " PODS_SLICE " -j REJECT\n", ip->server);
    buf_printf(&rules, BEGINS " -m owner ! --uid-owner 0 -j REJECT\nCOMMIT\n", ip->server);
    if (buf_check(&rules, "rules", err) < 0 ||
        tool_run(root, ip->restore, rules.data, err, "-w", "--noflush", NULL) < 0)
        return -1;
    return jump(root, ip->tables, "filter", "OUTPUT", "BAKE-OWNER", true, err);
}

int firewall_guard(const struct root *root, bool *ret_pods, struct err *err)
{
    cleanup_close int slice = root_openat(root, "/sys/fs/cgroup/" PODS_SLICE "/cgroup.procs", O_RDONLY);
    cleanup_close int ipv6 = root_openat(root, "/proc/net/if_inet6", O_RDONLY);
    struct err no_match; /* the kernel has no such match */
    bool by_group = slice >= 0 && guard(root, &ip4, true, &no_match) == 0;
    if (!by_group && guard(root, &ip4, false, err) < 0)
        return -1;
    if (ipv6 >= 0 && guard(root, &ip6, by_group, err) < 0)
        return -1;
    *ret_pods = by_group;
    return 0;
}

int firewall_set(const struct root *root, const struct node_metadata *metadata, bool masquerade,
                 struct err *err)
{
    cleanup_buf struct buf rules = BUF_INIT(RULES_MAX);
    char own[VALUE_CIDR_CAP];
    slot_cidr(metadata, metadata->self, own);
    /* iptables-restore makes or empties a chain declared with ":" */
    buf_str(&rules,
            "*mangle\n:BAKE-METADATA - [0:0]\n-A BAKE-METADATA -d " METADATA_ADDRESS "/32 -j DROP\nCOMMIT\n");
    /* software such as Docker sets the policy of FORWARD to DROP */
    buf_printf(&rules,
               "*filter\n:BAKE-FORWARD - [0:0]\n-A BAKE-FORWARD -s %s -j ACCEPT\n-A BAKE-FORWARD -d %s -j "
               "ACCEPT\nCOMMIT\n",
               metadata->pod_cidr, metadata->pod_cidr);
    buf_str(&rules, "*nat\n:BAKE-MASQUERADE - [0:0]\n");
    if (masquerade)
        buf_printf(&rules,
                   "-A BAKE-MASQUERADE -d %s -j RETURN\n"
                   "-A BAKE-MASQUERADE -d 224.0.0.0/4 -j RETURN\n"
                   "-A BAKE-MASQUERADE -s %s -j MASQUERADE\n",
                   metadata->pod_cidr, own);
    buf_str(&rules, "COMMIT\n");
    if (buf_check(&rules, "rules", err) < 0 ||
        tool_run(root, restore, rules.data, err, "-w", "--noflush", NULL) < 0 ||
        jump(root, iptables, "mangle", "FORWARD", "BAKE-METADATA", true, err) < 0 ||
        jump(root, iptables, "filter", "FORWARD", "BAKE-FORWARD", false, err) < 0)
        return -1;
    return jump(root, iptables, "nat", "POSTROUTING", "BAKE-MASQUERADE", false, err);
}
