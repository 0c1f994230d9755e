/* The guests of a tested cluster: powered on, read, cut off, powered on again with a fresh disk.
 *
 * In:    struct cluster_test_options.
 * Out:   running guests on one network, with one metadata server that identifies them by address.
 * Fails: nodes_pump() with ERR_TEST once a guest reports FAIL, panics or powers off, or time is up; ERR_IO if
 *        QEMU or dnsmasq ends; ERR_INTERRUPTED.
 * Owns:  all processes, the server and the consoles, until nodes_stop().
 * Never: moves after nodes_start(): consoles point into it.
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
    bool takes_writes; /* its etcd has acknowledged one since power-on */
};

struct nodes {
    const struct cluster_test_options *options;
    const struct run *run;
    struct cluster_result *result;
    double started;
    const char *waiting; /* for what, in the message if time is up */
    struct network network;
    struct metadata_server *server;
    struct node list[CLUSTER_GUESTS_MAX];
    size_t count;
};

must_check int nodes_start(const struct cluster_test_options *options, const struct run *run,
                           struct cluster_result *result, struct nodes *ret, struct err *err);
/* Waits up to TIMEOUT_MS for console output and processes it. */
must_check int nodes_pump(struct nodes *nodes, int timeout_ms, struct err *err);
/* A power cut; the link goes down, too, since only QEMU held the tap. */
void node_cut(struct node *node);
/* Powers the guest on as a new instance of the same name and address: a new id and a fresh disk. */
must_check int nodes_replace(struct nodes *nodes, struct node *node, struct err *err);
bool node_passed(const struct node *node);
double nodes_elapsed(const struct nodes *nodes);
/* Reads the consoles for another second: output after a failure often explains it. */
void nodes_linger(struct nodes *nodes);
void nodes_step(const struct nodes *nodes, const char *fmt, ...) print_like(2, 3);

void nodes_stop(struct nodes *nodes);
#define cleanup_nodes cleanup(nodes_stop)

#endif
