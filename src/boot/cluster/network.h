/* A private network for guests that must reach each other: a bridge, a tap for each guest, DHCP.
 *
 * In:    each guest's name, address and MAC.
 * Out:   a network like Compute Engine's: a host address for each guest, all traffic through the gateway, MTU
 *        1460. This process is the gateway, and METADATA_IP is one of its addresses.
 * Fails: ERR_IO, with advice, if the kernel or its configuration denies unprivileged users namespaces or
 *        taps, or dnsmasq is not installed.
 * Owns:  struct network owns dnsmasq, until network_stop(). The interfaces belong to the namespace and
 *        disappear with its last process.
 * Never: needs root; touches the machine's own network; lets a guest reach it.
 *
 * Source: namespaces(7), user_namespaces(7), tun.rst of the kernel's documentation, dnsmasq(8);
 *         https://cloud.google.com/vpc/docs/mtu, .../docs/routes (guests have a /32).
 */
#ifndef BAKE_BOOT_CLUSTER_NETWORK_H
#define BAKE_BOOT_CLUSTER_NETWORK_H

#include <stddef.h>

#include "base/arena.h"
#include "base/run.h"
#include "boot/serial.h"
#include "io/proc.h"

#define NETWORK_GATEWAY "10.128.0.1"
#define NETWORK_SUBNET  "10.128.0." /* of guests: 2 and up */
#define NETWORK_NETMASK "255.255.255.0"

enum { NETWORK_MTU = 1460, NETWORK_GUESTS_MAX = 64 };

struct network_guest {
    const char *name, *ip, *mac;
};

struct network {
    struct proc dhcp;
    int dhcp_said_fd;
    struct serial dhcp_said; /* dnsmasq's output, by line */
    char dhcp_last[256];
    const struct run *run;
};
#define NETWORK_EMPTY                                                                                        \
    {                                                                                                        \
        .dhcp_said_fd = -1                                                                                   \
    }

/* Moves this process into its own network namespace, permanently; a process that is not root also gets a user
 * namespace in which it is root. Call it while the process has one thread. */
must_check int network_enter(struct err *err);

/* Bridge, addresses and DHCP, after network_enter(). RET must not move while it runs; RUN must outlive it. */
must_check int network_start(const struct network_guest *guests, size_t count, const struct run *run,
                             struct network *ret, struct err *err);
/* A new tap on the bridge. It disappears when the last copy of the descriptor is closed. */
must_check int network_tap(int *ret_fd, struct err *err);
/* Reads dnsmasq's output; ERR_IO if it has ended. Call it regularly. */
must_check int network_watch(struct network *network, struct err *err);

void network_stop(struct network *network);
#define cleanup_network cleanup(network_stop)

/* dnsmasq's command line, NULL-terminated, in ARENA. Public for tests. */
must_check int network_dhcp_argv(const char *program, const struct network_guest *guests, size_t count,
                                 struct arena *arena, const char *const **ret, struct err *err);

#endif
