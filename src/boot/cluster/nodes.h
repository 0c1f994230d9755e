/* The guests of a tested cluster: switched on, listened to, cut off, switched on again with a fresh disk.
 *
 * In:    struct cluster_test_options.
 * Out:   running guests on one network, beside one metadata server that tells them apart by address.
 * Fails: nodes_pump() with ERR_TEST once a guest reports FAIL, panics, goes off by itself, or time is up; ERR_IO when
 *        QEMU or dnsmasq ends; ERR_INTERRUPTED.
 * Owns:  all processes, the server and the consoles, until nodes_stop().
 * Never: moves once nodes_start() has it: consoles point into it.
 */
#ifndef BAKE_BOOT_CLUSTER_NODES_H
#define BAKE_BOOT_CLUSTER_NODES_H

#include "boot/cluster/cluster.h"
#include "boot/console.h"
#include "boot/cluster/network.h"
#include "boot/qemu.h"

struct nodes;

struct node {
    struct nodes *nodes;
    struct metadata_server_instance values;
    struct guest guest;
    struct console *console;
    struct cluster_guest_result *result;
    int serial_fd;
    unsigned boots;
    bool on;
    bool takes_writes; /* its etcd has acknowledged one since it was switched on */
};

struct nodes {
    const struct cluster_test_options *options;
    const struct run *run;
    struct cluster_result *result;
    double started;
    const char *waiting; /* what for: what is said when time is up */
    struct network network;
    struct metadata_server *server;
    struct node list[CLUSTER_GUESTS_MAX];
    size_t count;
};

must_check int nodes_start(const struct cluster_test_options *options, const struct run *run,
                           struct cluster_result *result, struct nodes *ret, struct err *err);
/* Waits up to TIMEOUT_MS for something to hear, and hears it. */
must_check int nodes_pump(struct nodes *nodes, int timeout_ms, struct err *err);
/* A power cut, and the link goes too: the tap was QEMU's alone. */
void node_cut(struct node *node);
/* The same name and address, another instance: a new id and a fresh disk. */
must_check int nodes_replace(struct nodes *nodes, struct node *node, struct err *err);
bool node_passed(const struct node *node);
double nodes_elapsed(const struct nodes *nodes);
/* What came after a failure often explains it: listens for a second more. */
void nodes_linger(struct nodes *nodes);
void nodes_step(const struct nodes *nodes, const char *fmt, ...) print_like(2, 3);

void nodes_stop(struct nodes *nodes);
#define cleanup_nodes cleanup(nodes_stop)

#endif
