/* Does one package make a cluster? Several guests of one disk that differ in their metadata only, and one verdict.
 *
 * In:    a raw disk, each guest's metadata, the keys of a client of their etcd, a time limit for all of it.
 * Out:   what happened, and when: the guests form a cluster; the one that leads it loses its power; writes go on without it; a
 *        guest of the same name with a fresh disk takes its place by itself; every acknowledged write is there.
 * Fails: ERR_TEST when any of that does not happen, or a guest reports FAIL, panics or goes off; ERR_IO when it cannot be
 *        tried; ERR_INTERRUPTED.
 * Owns:  struct cluster_result owns its strings until cluster_result_free().
 * Never: leaves a process, an interface or a namespace behind, or writes to the disk. The caller has called network_enter().
 */
#ifndef BAKE_BOOT_CLUSTER_CLUSTER_H
#define BAKE_BOOT_CLUSTER_CLUSTER_H

#include "boot/boot.h"
#include "boot/cluster/etcd.h"

enum { CLUSTER_GUESTS_MIN = 3, CLUSTER_GUESTS_MAX = 9, CLUSTER_TIMEOUT_S = 1200 };

struct cluster_test_options {
    int disk_fd; /* raw; stays as it is, and the caller's */
    bool efi;
    unsigned cpus, memory_mib; /* of each guest; 0: 1 and 1024 */
    unsigned timeout_s;        /* 0: CLUSTER_TIMEOUT_S */
    const struct metadata_server_instance
        *guests; /* name, ip of boot/cluster/network.h's subnet, mac, and the rest */
    size_t count;
    struct etcd_keys keys;
    /* All may be NULL. LINE: a line of a guest's console, safe to show. STEP: what happened just now. SERIAL: where the raw
     * console of a guest goes that is switched on for the BOOT-th time (1, 2); *ret_fd is -1 or becomes the callee's. */
    void (*line)(void *ctx, const char *name, const char *line);
    void (*step)(void *ctx, const char *text);
    int (*serial)(void *ctx, const char *name, unsigned boot, int *ret_fd, struct err *err);
    void *ctx;
};

struct cluster_guest_result {
    const char *name;
    bool replacement; /* it took the place of the one of its name that lost its power */
    double started_s; /* since the test began; what is in BOOT counts from there */
    struct boot_result boot;
};

/* Seconds; negative: it did not come to it. */
struct cluster_result {
    struct cluster_guest_result guests[CLUSTER_GUESTS_MAX + 1];
    size_t guest_count;
    bool passed;
    char killed[ETCD_NAME_CAP]; /* the leader that lost its power; "" */
    double quorum_s;            /* from the start to the first acknowledged write */
    double formed_s;            /* and to every member's taking part */
    double write_s;             /* from the power cut to the next acknowledged write */
    double joined_s;            /* from the replacement's power-on to its taking part */
    double total_s;
    unsigned acknowledged, attempted; /* writes */
};

/* RESULT is filled as far as it came, whatever the outcome. */
must_check int cluster_test(const struct cluster_test_options *options, const struct run *run,
                            struct cluster_result *result, struct err *err);
void cluster_result_free(struct cluster_result *result);
#define cleanup_cluster_result cleanup(cluster_result_free)

#endif
