#include "boot/cluster/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "boot/qemu.h"
#include "io/file.h"

#define BRIDGE "bake0"
enum { ARGS_FIXED = 20 };

/* --- namespaces --- */

static int write_file(const char *path, const char *text, struct err *err)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "open %s", path);
    return file_write(fd, text, strlen(text), path, err);
}

/* Maps the user to root in the namespace; no other ids are mapped. */
static int map_user(uid_t uid, gid_t gid, struct err *err)
{
    char users[32], groups[32];
    snprintf(users, sizeof users, "0 %u 1", (unsigned)uid);
    snprintf(groups, sizeof groups, "0 %u 1", (unsigned)gid);
    if (write_file("/proc/self/setgroups", "deny", err) < 0 ||
        write_file("/proc/self/uid_map", users, err) < 0 || write_file("/proc/self/gid_map", groups, err) < 0)
        return err_wrap(err, "a user namespace");
    return 0;
}

int network_enter(struct err *err)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWNET) == 0) /* root */
        return 0;
    if (errno == EPERM && unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)
        return map_user(uid, gid, err);
    if (errno == EPERM || errno == ENOSPC || errno == EACCES)
        return err_set(err, ERR_IO, errno,
                       "several guests need a network namespace, which this machine allows only root: run "
                       "this as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
                       "user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0; in a "
                       "container, its security options)");
    return err_sys(err, errno, "a network namespace");
}

/* --- interfaces --- */

static struct ifreq interface_request(const char *name)
{
    struct ifreq ifr = {0};
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    return ifr;
}

static int bring_up(int control, const char *name, struct err *err)
{
    struct ifreq ifr = interface_request(name);
    if (ioctl(control, SIOCGIFFLAGS, &ifr) < 0)
        return err_sys(err, errno, "flags of interface %s", name);
    ifr.ifr_flags = (short)(ifr.ifr_flags | IFF_UP);
    return ioctl(control, SIOCSIFFLAGS, &ifr) < 0 ? err_sys(err, errno, "switch on interface %s", name) : 0;
}

static int set_mtu(int control, const char *name, struct err *err)
{
    struct ifreq ifr = interface_request(name);
    ifr.ifr_mtu = NETWORK_MTU;
    return ioctl(control, SIOCSIFMTU, &ifr) < 0 ? err_sys(err, errno, "MTU of interface %s", name) : 0;
}

static int set_address(int control, const char *name, const char *ip, const char *netmask, struct err *err)
{
    struct ifreq ifr = interface_request(name);
    struct sockaddr_in address = {.sin_family = AF_INET}, mask = address;
    if (inet_pton(AF_INET, ip, &address.sin_addr) != 1 || inet_pton(AF_INET, netmask, &mask.sin_addr) != 1)
        return err_set(err, ERR_INTERNAL, 0, "not an address: %s, %s", ip, netmask);
    memcpy(&ifr.ifr_addr, &address, sizeof address);
    if (ioctl(control, SIOCSIFADDR, &ifr) < 0)
        return err_sys(err, errno, "address %s of interface %s", ip, name);
    memcpy(&ifr.ifr_netmask, &mask, sizeof mask);
    return ioctl(control, SIOCSIFNETMASK, &ifr) < 0 ? err_sys(err, errno, "netmask of interface %s", name)
                                                    : 0;
}

static int open_control(int *ret, struct err *err)
{
    *ret = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return *ret < 0 ? err_sys(err, errno, "a socket for interfaces") : 0;
}

/* Guests have a /32 and reach each other through the gateway, which is their own bridge. It must forward, and
 * must not send redirects. */
static int make_bridge(struct err *err)
{
    cleanup_close int control = -1;
    if (open_control(&control, err) < 0 || bring_up(control, "lo", err) < 0)
        return -1;
    if (ioctl(control, SIOCBRADDBR, BRIDGE) < 0)
        return err_sys(err, errno, "make a bridge (kernel module \"bridge\")");
    if (set_address(control, BRIDGE, NETWORK_GATEWAY, NETWORK_NETMASK, err) < 0 ||
        set_address(control, BRIDGE ":1", METADATA_IP, "255.255.255.255", err) < 0 ||
        bring_up(control, BRIDGE, err) < 0)
        return -1;
    if (write_file("/proc/sys/net/ipv4/conf/all/send_redirects", "0", err) < 0 ||
        write_file("/proc/sys/net/ipv4/conf/" BRIDGE "/send_redirects", "0", err) < 0 ||
        write_file("/proc/sys/net/ipv4/ip_forward", "1", err) < 0)
        return err_wrap(err, "make this namespace a gateway");
    return 0;
}

static int open_tap(struct ifreq *ret_ifr, int *ret_fd, struct err *err)
{
    cleanup_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0 && (errno == EACCES || errno == EPERM))
        return err_set(err, ERR_IO, errno,
                       "several guests need /dev/net/tun, which this user may not open: run this as root, or "
                       "give the device mode 0666, as udev does");
    if (fd < 0)
        return err_set(
            err, ERR_IO, errno,
            "several guests need /dev/net/tun (kernel module \"tun\"; in a container, the device)");
    *ret_ifr = interface_request("guest%d");
    ret_ifr->ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    if (ioctl(fd, TUNSETIFF, ret_ifr) < 0)
        return err_sys(err, errno, "make a tap interface");
    *ret_fd = steal_fd(&fd);
    return 0;
}

int network_tap(int *ret_fd, struct err *err)
{
    cleanup_close int control = -1, fd = -1;
    struct ifreq tap, bridge = interface_request(BRIDGE);
    if (open_control(&control, err) < 0 || open_tap(&tap, &fd, err) < 0 ||
        set_mtu(control, tap.ifr_name, err) < 0)
        return -1;
    bridge.ifr_ifindex = (int)if_nametoindex(tap.ifr_name);
    if (bridge.ifr_ifindex == 0 || ioctl(control, SIOCBRADDIF, &bridge) < 0)
        return err_sys(err, errno, "put %s on the bridge", tap.ifr_name);
    if (bring_up(control, tap.ifr_name, err) < 0)
        return -1;
    *ret_fd = steal_fd(&fd);
    return 0;
}

/* --- DHCP --- */

int network_dhcp_argv(const char *program, const struct network_guest *guests, size_t count,
                      struct arena *arena, const char *const **ret, struct err *err)
{
    /* --no-daemon: dnsmasq neither forks nor changes its user, and so dies with this process. Options 1, 3,
     * 26, 121: netmask, router, MTU, classless routes (RFC 2132, RFC 3442). */
    static const char *const fixed[] = {"--conf-file=/dev/null",
                                        "--no-daemon",
                                        "--log-facility=-",
                                        "--quiet-dhcp",
                                        "--port=0",
                                        "--interface=" BRIDGE,
                                        "--bind-interfaces",
                                        "--leasefile-ro",
                                        "--no-ping",
                                        "--dhcp-authoritative",
                                        "--dhcp-ignore-clid",
                                        "--dhcp-range=" NETWORK_GATEWAY ",static," NETWORK_NETMASK ",24h",
                                        "--dhcp-option=1,255.255.255.255",
                                        "--dhcp-option=3," NETWORK_GATEWAY,
                                        "--dhcp-option=26,1460",
                                        "--dhcp-option=121," NETWORK_GATEWAY
                                        "/32,0.0.0.0,0.0.0.0/0," NETWORK_GATEWAY};
    _Static_assert(NETWORK_MTU == 1460, "option 26");
    _Static_assert(1 + sizeof fixed / sizeof *fixed <= ARGS_FIXED, "fixed arguments");
    if (count == 0 || count > NETWORK_GUESTS_MAX)
        return err_set(err, ERR_INTERNAL, 0, "a network for %zu guests", count);
    const char **argv = arena_array(arena, ARGS_FIXED + count + 1, sizeof *argv);
    size_t n = 1 + sizeof fixed / sizeof *fixed;
    if (!argv)
        return err_oom(err);
    argv[0] = program;
    memcpy(argv + 1, fixed, sizeof fixed);
    for (size_t i = 0; i < count; i++) {
        argv[n] =
            arena_printf(arena, "--dhcp-host=%s,%s,%s,24h", guests[i].mac, guests[i].ip, guests[i].name);
        if (!argv[n++])
            return err_oom(err);
    }
    *ret = argv;
    return 0;
}

static void take_line(void *ctx, const char *line)
{
    struct network *network = ctx;
    snprintf(network->dhcp_last, sizeof network->dhcp_last, "%.*s", (int)sizeof network->dhcp_last - 1, line);
    run_note(network->run, "dhcp", "%s", line);
}

static int start_dhcp(const struct network_guest *guests, size_t count, struct network *network,
                      struct err *err)
{
    cleanup_arena struct arena arena = {0};
    const char *const *argv = NULL;
    if (network_dhcp_argv("dnsmasq", guests, count, &arena, &argv, err) < 0)
        return -1;
    const struct proc_spec spec = {.argv = argv, .package = "dnsmasq-base", .stdin_fd = -1};
    if (proc_start(&spec, &network->dhcp, &network->dhcp_said_fd, err) < 0)
        return err_wrap(err, "addresses for several guests");
    return 0;
}

int network_start(const struct network_guest *guests, size_t count, const struct run *run,
                  struct network *ret, struct err *err)
{
    *ret = (struct network)NETWORK_EMPTY;
    ret->run = run;
    ret->dhcp_said.take = take_line;
    ret->dhcp_said.ctx = ret;
    if (make_bridge(err) < 0)
        return err_wrap(err, "the guests' network");
    return start_dhcp(guests, count, ret, err);
}

int network_watch(struct network *network, struct err *err)
{
    char chunk[4096];
    struct pollfd fds = {.fd = network->dhcp_said_fd, .events = POLLIN};
    int status = -1;
    while (network->dhcp_said_fd >= 0 && poll(&fds, 1, 0) > 0) {
        ssize_t n = read(network->dhcp_said_fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            serial_flush(&network->dhcp_said);
            cleanup_close_fn(&network->dhcp_said_fd);
            network->dhcp_said_fd = fds.fd = -1;
            break;
        }
        serial_feed(&network->dhcp_said, chunk, (size_t)n);
    }
    if (network->dhcp_said_fd >= 0)
        return 0;
    if (network->dhcp.pid > 0 && proc_wait(&network->dhcp, 1000, &status, err) < 0)
        return -1;
    return err_set(err, ERR_IO, 0, "dnsmasq ended with status %d: %s", status, network->dhcp_last);
}

void network_stop(struct network *network)
{
    proc_kill(&network->dhcp);
    cleanup_close_fn(&network->dhcp_said_fd);
    network->dhcp_said_fd = -1;
}
