/* Takes a running node one step further from one cluster-secret to the next, together with the other members.
 *
 * In:    the metadata and its secrets; the cluster's etcd, in which each member says how far it is:
 *        /bake/rotation/FINGERPRINT/MEMBER is its stage, .../secrets is "done" once all Secrets are written
 *        with the new key.
 * Out:   files, services started anew, the stage (config/rotation.h). One node at a time holds ROTATE_LOCK
 *        while its services start, and only when all members of etcd answer.
 * Fails: as what it calls; the step is done again from its beginning, also after the agent or the machine
 *        died: the stage on disk is written last.
 * Never: uses the next secret before all members trust it, rewrites Secrets before all write with its key, or
 *        drops the old one before all Secrets are rewritten.
 *
 * A member is known by its id in etcd: a replaced node has another one, and begins anew. What its API server
 * wrote with the old key in between is written again, because it deletes .../secrets first.
 */
#ifndef BAKE_AGENT_ROTATE_ROTATE_H
#define BAKE_AGENT_ROTATE_ROTATE_H

#include "agent/config/rotation.h"
#include "agent/os/log.h"
#include "agent/os/root.h"

#define ROTATE_FOLDER "/bake/rotation/"
#define ROTATE_LOCK   "/bake/lock"

enum {
    ROTATE_SPREAD_S = 120, /* kubelet brings a changed CA to its pods within a minute or so */
    ROTATE_START_S = 300,  /* for an API server to be ready again; also the lock's life */
};

struct rotate {
    const struct root *root;
    const struct log *log;
    unsigned spread_s;
    int64_t trusted_ms; /* of clock_now_ms(): since when all members were seen to trust both; 0: not yet */
};

/* STEP is what rotation_ask() said. *RET_UNDER_WAY: there will be more to do soon. */
must_check int rotate_run(struct rotate *rotate, const struct node_metadata *metadata,
                          const struct cluster_secret *secret, const struct rotation *rotation,
                          enum rotation_step step, bool *ret_under_way, struct err *err);

#endif
