/* `bake-agent members`: a running member keeps etcd's members as its cluster's lists say.
 *
 * In:    the metadata that boot saved and bake-watch renews: read each round; this node's etcd.
 * Out:   this member's list, published (lists.h); an unlisted dead member removed (agree.h); this node's
 *        vote, once it has caught up: a newcomer is a learner first.
 * Fails: never ends: each problem is logged once and retried. keep_once() returns errors.
 * Never: removes but under the lock, after looking once more. Acts through another node's etcd, but for its
 *        own vote: a learner serves no one.
 * Source: https://etcd.io/docs/v3.6/learning/design-learner/
 */
#ifndef BAKE_AGENT_JOIN_KEEP_H
#define BAKE_AGENT_JOIN_KEEP_H

#include "agent/join/lists.h"
#include "agent/os/log.h"

enum { KEEP_PAUSE_MS = 5000, KEEP_LEARNER_PAUSE_MS = 1000 };

struct keep {
    const struct root *root;
    const struct log *log;
    struct node_metadata published; /* node_count 0: nothing is */
    struct etcd_lease lease;
    bool learner;                 /* in the last round */
    char last_line[ERR_TEXT_MAX]; /* what was logged last */
};

must_check int keep_once(struct keep *keep, const struct node_metadata *metadata, struct err *err);

_Noreturn void keep_run(const struct root *root, const struct log *log);

#endif
