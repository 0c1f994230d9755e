/* The members' lists in etcd, and the lock under which members are removed and added.
 *
 * In:    a member's API.
 * Out:   LISTS_PREFIX NAME: the member's cluster-nodes, under a lease of LISTS_TTL_S: a list is there only
 *        while its member's etcd serves, has a quorum, and is a voter.
 * Fails: as etcd/kv.h.
 * Never: holds the lock longer than LISTS_LOCK_S, which is more than all calls made under it may take.
 */
#ifndef BAKE_AGENT_JOIN_LISTS_H
#define BAKE_AGENT_JOIN_LISTS_H

#include "agent/etcd/kv.h"
#include "agent/join/agree.h"

#define LISTS_PREFIX "/bake/lists/"
#define LISTS_LOCK   "/bake/lock/members"

enum { LISTS_TTL_S = 20, LISTS_LOCK_S = 60, LISTS_PROBE_MS = 1000 };

/* Etcd's members and their lists; nobody's `answers`. */
must_check int lists_read(const struct etcd_api *api, struct agree *ret, struct err *err);

/* Whether something answers at a member's peer URL. True, too, for a URL that cannot be asked. */
bool lists_probe(const struct etcd_member *member);

must_check int lists_publish(const struct etcd_api *api, const struct node_metadata *metadata,
                             const struct etcd_lease *lease, struct err *err);

must_check int lists_lock(const struct etcd_api *api, const struct node_metadata *metadata,
                          struct etcd_lease *ret, struct err *err);
/* If it fails, the lock ends by itself. */
void lists_unlock(const struct etcd_api *api, const struct etcd_lease *lock);

#endif
