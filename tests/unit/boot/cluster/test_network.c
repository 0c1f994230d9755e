/* The guests' network, seen from inside: in its own process, by an unprivileged user if possible. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>

#include "boot/cluster/network.h"
#include "boot/qemu.h"
#include "io/file.h"

static struct err err;
static const struct network_guest guests[] = {{"a", "10.128.0.2", "42:01:0a:80:00:02"},
                                              {"b", "10.128.0.3", "42:01:0a:80:00:03"}};

static bool holds(const char *const *argv, const char *arg)
{
    for (; *argv; argv++)
        if (strcmp(*argv, arg) == 0)
            return true;
    return false;
}

static void dhcp_is_told_who_is_who(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    const char *const *argv = NULL;
    assert_int_equal(network_dhcp_argv("/x/dnsmasq", guests, 2, &arena, &argv, &err), 0);
    assert_string_equal(argv[0], "/x/dnsmasq");
    assert_true(holds(argv, "--no-daemon"));
    assert_true(holds(argv, "--port=0"));
    assert_true(holds(argv, "--dhcp-option=1,255.255.255.255"));
    assert_true(holds(argv, "--dhcp-option=26,1460"));
    assert_true(holds(argv, "--dhcp-option=121,10.128.0.1/32,0.0.0.0,0.0.0.0/0,10.128.0.1"));
    assert_true(holds(argv, "--dhcp-host=42:01:0a:80:00:02,10.128.0.2,a,24h"));
    assert_true(holds(argv, "--dhcp-host=42:01:0a:80:00:03,10.128.0.3,b,24h"));
    argv = NULL;
    assert_int_equal(network_dhcp_argv("dnsmasq", guests, 0, &arena, &argv, &err), -1);
    assert_null(argv);
}

/* --- inside --- */

enum { WELL = 0, WRONG = 1, CANNOT = 77 };

static void give_up(const char *what)
{
    fprintf(stderr, "    %s: %s\n", what, err.text);
    _exit(WRONG);
}

static bool has_address(const char *ip, const char *netmask)
{
    struct ifaddrs *all = NULL;
    bool found = false;
    struct in_addr wants_ip, wants_mask;
    inet_pton(AF_INET, ip, &wants_ip);
    inet_pton(AF_INET, netmask, &wants_mask);
    if (getifaddrs(&all) < 0)
        return false;
    for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
        struct sockaddr_in address, mask;
        if (!at->ifa_addr || !at->ifa_netmask || at->ifa_addr->sa_family != AF_INET)
            continue;
        memcpy(&address, at->ifa_addr, sizeof address);
        memcpy(&mask, at->ifa_netmask, sizeof mask);
        found = found ||
                (address.sin_addr.s_addr == wants_ip.s_addr && mask.sin_addr.s_addr == wants_mask.s_addr);
    }
    freeifaddrs(all);
    return found;
}

static unsigned interfaces(void)
{
    struct if_nameindex *all = if_nameindex();
    unsigned count = 0;
    for (const struct if_nameindex *at = all; at && at->if_index; at++)
        count++;
    if_freenameindex(all);
    return count;
}

static char forwards(void)
{
    char c = 0;
    cleanup_close int fd = open("/proc/sys/net/ipv4/ip_forward", O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &c, 1) == 1 ? c : 0;
}

/* dnsmasq exits if an interface disappears while it lists them at its start: waits until it has. */
static bool dhcp_listens(void)
{
    char line[256];
    bool found = false;
    FILE *udp = fopen("/proc/net/udp", "re");
    while (udp && fgets(line, sizeof line, udp))
        found = found || strstr(line, ":0043 ");
    if (udp)
        fclose(udp);
    return found;
}

static void inside(void)
{
    cleanup_network struct network network = NETWORK_EMPTY;
    int tap = -1, again = -1;
    if (network_enter(&err) < 0)
        _exit(err.kind == ERR_IO && strstr(err.text, "user namespaces") ? CANNOT : WRONG);
    if (interfaces() != 1)
        give_up("more than lo in a new namespace");
    if (network_start(guests, 2, NULL, &network, &err) < 0)
        give_up("start");
    if (!has_address(NETWORK_GATEWAY, NETWORK_NETMASK) || !has_address(METADATA_IP, "255.255.255.255") ||
        forwards() != '1')
        give_up("addresses");
    for (int i = 0; i < 1000 && !dhcp_listens(); i++)
        usleep(20000);
    if (!dhcp_listens())
        give_up("dnsmasq does not listen");
    unsigned before = interfaces();
    if (network_tap(&tap, &err) < 0)
        _exit(strstr(err.text, "/dev/net/tun") ? CANNOT : WRONG);
    if (network_tap(&again, &err) < 0 || interfaces() != before + 2)
        give_up("two taps");
    close(again);
    for (int i = 0; i < 50 && interfaces() != before + 1; i++)
        usleep(20000);
    if (interfaces() != before + 1)
        give_up("a tap outlives its descriptor");
    for (int i = 0; i < 20; i++, usleep(10000))
        if (network_watch(&network, &err) < 0)
            give_up("dnsmasq");
    kill(network.dhcp.pid, SIGKILL);
    int r = 0;
    for (int i = 0; i < 200 && r == 0; i++, usleep(10000))
        r = network_watch(&network, &err);
    if (r == 0 || err.kind != ERR_IO || !strstr(err.text, "dnsmasq ended with status 137"))
        give_up("the end of dnsmasq goes unseen");
    network_stop(&network);
    _exit(WELL);
}

/* /dev/net/tun with udev's mode, which lets anyone open it: visible to this process only. */
static bool open_tun_to_all(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", "/dev/net", "tmpfs", 0, "mode=0755") == 0 &&
           mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, 200)) == 0 && chmod("/dev/net/tun", 0666) == 0;
}

/* A process that changed its user may not write its /proc/self/setgroups until it is dumpable again. A user
 * who starts bake is not in that state. */
static bool become(uid_t uid)
{
    return open_tun_to_all() && setgroups(0, NULL) == 0 && setgid(uid) == 0 && setuid(uid) == 0 &&
           prctl(PR_SET_DUMPABLE, 1) == 0;
}

static int look_inside(uid_t uid)
{
    int status = -1;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (uid != geteuid() && !become(uid))
            _exit(CANNOT);
        inside();
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void network_is_of_its_own(void **state)
{
    (void)state;
    unsigned before = interfaces();
    int r = look_inside(geteuid());
    assert_int_equal(interfaces(), before);
    if (r == CANNOT)
        skip();
    assert_int_equal(r, WELL);
}

static void ordinary_user_may_have_one(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    int r = look_inside(65534);
    if (r == CANNOT)
        skip();
    assert_int_equal(r, WELL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dhcp_is_told_who_is_who),
        cmocka_unit_test(network_is_of_its_own),
        cmocka_unit_test(ordinary_user_may_have_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
