/* Writes to a tested cluster, one after the other, that are counted when etcd acknowledges them and looked for later.
 *
 * In:    a client of etcd; which member is asked.
 * Out:   how many were acknowledged; ERR_TEST naming one that is not there any more, or is another's.
 * Fails: as etcd.h does. A write that was not acknowledged is none: etcd may have it, or not.
 * Owns:  its notes, until writer_free().
 */
#ifndef BAKE_BOOT_CLUSTER_WRITER_H
#define BAKE_BOOT_CLUSTER_WRITER_H

#include <stdbool.h>

#include "boot/cluster/etcd.h"

enum { WRITER_MAX = 100000 };

struct etcd_writer {
    unsigned attempted, acknowledged;
    unsigned char *notes; /* of each write that was tried: whether it was acknowledged, and seen now */
};

must_check int writer_init(struct etcd_writer *writer, struct err *err);
void writer_free(struct etcd_writer *writer);
#define cleanup_writer cleanup(writer_free)

/* One write. *ret_done: it was acknowledged; not so and 0: etcd does not take it now, for the reason in ERR. */
must_check int writer_write(struct etcd_writer *writer, struct etcd_client *client, const char *ip,
                            unsigned timeout_ms, bool *ret_done, struct err *err);
/* Whether all that was acknowledged is there, read through the quorum by way of that member. */
must_check int writer_check(struct etcd_writer *writer, struct etcd_client *client, const char *ip,
                            unsigned timeout_ms, struct err *err);

/* The same for keys that the caller has; apart from it for its tests. */
void writer_begin_check(struct etcd_writer *writer);
must_check int writer_check_key(struct etcd_writer *writer, const char *key, const char *value,
                                struct err *err);
must_check int writer_conclude(const struct etcd_writer *writer, struct err *err);

#endif
