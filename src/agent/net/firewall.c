#include "agent/net/firewall.h"

#include "agent/net/slots.h"
#include "agent/os/tool.h"

enum { RULES_MAX = 4096 };

static const char *const iptables[] = {"/usr/sbin/iptables", "/usr/bin/iptables", "/sbin/iptables", NULL};
static const char *const restore[] = {"/usr/sbin/iptables-restore", "/usr/bin/iptables-restore",
                                      "/sbin/iptables-restore", NULL};

static int jump(const struct root *root, const char *table, const char *from, const char *to, bool first,
                struct err *err)
{
    int code = 0;
    if (tool_ask(root, iptables, &code, err, "-w", "-t", table, "-C", from, "-j", to, NULL) < 0)
        return -1;
    if (code == 0)
        return 0;
    return tool_run(root, iptables, NULL, err, "-w", "-t", table, first ? "-I" : "-A", from, "-j", to, NULL);
}

int firewall_set(const struct root *root, const struct node_metadata *metadata, bool masquerade,
                 struct err *err)
{
    cleanup_buf struct buf rules = BUF_INIT(RULES_MAX);
    char own[VALUE_CIDR_CAP];
    slot_cidr(metadata, metadata->self, own);
    /* iptables-restore makes or empties a chain declared with ":" */
    buf_str(&rules,
            "*mangle\n:BAKE-METADATA - [0:0]\n-A BAKE-METADATA -d 169.254.169.254/32 -j DROP\nCOMMIT\n");
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
        jump(root, "mangle", "FORWARD", "BAKE-METADATA", true, err) < 0 ||
        jump(root, "filter", "FORWARD", "BAKE-FORWARD", false, err) < 0)
        return -1;
    return jump(root, "nat", "POSTROUTING", "BAKE-MASQUERADE", false, err);
}
