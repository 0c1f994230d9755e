/* Writes numbered keys to a tested cluster, and checks later that none of the acknowledged ones was lost.
 *
 * In:    an etcd client; the member to use.
 * Out:   the numbers of attempted and acknowledged writes.
 * Fails: as etcd.h; writer_check() with ERR_TEST for an acknowledged key that is missing, or a key that was
 *        never written. Unacknowledged writes may be there or not.
 * Owns:  its notes, until writer_free().
 */
#ifndef BAKE_BOOT_CLUSTER_WRITER_H
#define BAKE_BOOT_CLUSTER_WRITER_H

#include <stdbool.h>

#include "boot/cluster/etcd.h"

enum { WRITER_MAX = 100000 };

struct etcd_writer {
    unsigned attempted, acknowledged;
    unsigned char *notes; /* for each attempted write: acknowledged, and seen by the check */
};

must_check int writer_init(struct etcd_writer *writer, struct err *err);
void writer_free(struct etcd_writer *writer);
#define cleanup_writer cleanup(writer_free)

/* One write; *ret_done: etcd acknowledged it. 0 without *ret_done: etcd does not accept it now, for the
 * reason in ERR. */
must_check int writer_write(struct etcd_writer *writer, struct etcd_client *client, const char *ip,
                            unsigned timeout_ms, bool *ret_done, struct err *err);
/* Checks that all acknowledged writes are there, by a quorum read through that member. */
must_check int writer_check(struct etcd_writer *writer, struct etcd_client *client, const char *ip,
                            unsigned timeout_ms, struct err *err);

/* The steps of writer_check(), for tests: begin, each key, conclude. */
void writer_begin_check(struct etcd_writer *writer);
must_check int writer_check_key(struct etcd_writer *writer, const char *key, const char *value,
                                struct err *err);
must_check int writer_conclude(const struct etcd_writer *writer, struct err *err);

#endif
