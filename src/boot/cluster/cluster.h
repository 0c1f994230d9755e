/* Tests that guests of one disk form a cluster: they differ only in their metadata.
 *
 * In:    a raw disk, each guest's metadata, the keys of an etcd client, one time limit for everything.
 * Out:   what happened, and when: the guests form a cluster; the leader loses its power; writes continue
 *        without it; a guest of the same name with a fresh disk takes its place unaided; every acknowledged
 *        write is still there.
 * Fails: ERR_TEST if any of that does not happen, or a guest reports FAIL, panics or powers off; ERR_IO if
 *        the test cannot be run; ERR_INTERRUPTED.
 * Owns:  struct cluster_result owns its strings until cluster_result_free().
 * Never: leaves a process, an interface or a namespace behind; writes to the disk.
 *
 * Call network_enter() first.
 */
#ifndef BAKE_BOOT_CLUSTER_CLUSTER_H
#define BAKE_BOOT_CLUSTER_CLUSTER_H

#include "boot/boot.h"
#include "boot/cluster/etcd.h"

enum { CLUSTER_GUESTS_MIN = 3, CLUSTER_GUESTS_MAX = 9, CLUSTER_TIMEOUT_S = 1200 };

struct cluster_test_options {
    int disk_fd; /* raw; not modified, and the caller's */
    bool efi;
    unsigned cpus, memory_mib; /* of each guest; 0: 1 and 1024 */
    unsigned timeout_s;        /* 0: CLUSTER_TIMEOUT_S */
    /* With name, ip in the subnet of boot/cluster/network.h, mac and the rest. */
    const struct metadata_server_instance *guests;
    size_t count;
    struct etcd_keys keys;
    /* All may be NULL. LINE: a line of a guest's console, safe to print. STEP: what just happened. SERIAL:
     * returns the file for the raw console of a guest's BOOT-th boot (1, 2), or -1; the test closes
     * *ret_fd. */
    void (*line)(void *ctx, const char *name, const char *line);
    void (*step)(void *ctx, const char *text);
    int (*serial)(void *ctx, const char *name, unsigned boot, int *ret_fd, struct err *err);
    void *ctx;
};

struct cluster_guest_result {
    const char *name;
    bool replacement; /* it replaced the guest of this name that lost its power */
    double started_s; /* since the test began; the times in BOOT count from here */
    struct boot_result boot;
};

/* Seconds; negative: the test did not get that far. */
struct cluster_result {
    struct cluster_guest_result guests[CLUSTER_GUESTS_MAX + 1];
    size_t guest_count;
    bool passed;
    char killed[ETCD_NAME_CAP]; /* the leader that lost its power; "" */
    double quorum_s;            /* from the start to the first acknowledged write */
    double formed_s;            /* from the start until all members take part */
    double write_s;             /* from the power cut to the next acknowledged write */
    double joined_s;            /* from the replacement's power-on until it takes part */
    double total_s;
    unsigned acknowledged, attempted; /* writes */
};

/* RESULT is filled as far as the test got, whatever the outcome. */
must_check int cluster_test(const struct cluster_test_options *options, const struct run *run,
                            struct cluster_result *result, struct err *err);
void cluster_result_free(struct cluster_result *result);
#define cleanup_cluster_result cleanup(cluster_result_free)

#endif
