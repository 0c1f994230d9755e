/* `bake-agent watch`: keeps a running node configured.
 *
 * In:    the metadata server; what boot left on disk.
 * Out:   what boot would write now, and restarts of the services that must read it again, until each has
 *        succeeded. Runs at least once a minute: lost or damaged files are written again, and certificates
 *        are renewed when a third of their life is left.
 *        While the machine is not a node, because boot found no metadata or wrong one, each round
 *        looks whether boot can succeed now, and if so starts it again, with the units that need it.
 *        A restore that the metadata asks for while etcd has a quorum is noted as over, and so never done.
 * Fails: never ends: each problem is logged once and retried. watch_once() returns errors, for tests.
 * Never: follows a change that a running node cannot take (name, address, range, role): it logs the change,
 *        and the next boot applies it. Starts a machine whose contents are bad. Writes anything under another
 *        secret than the keys' own. Acts on all members at once: each waits according to its place in
 *        cluster-nodes.
 */
#ifndef BAKE_AGENT_WATCH_H
#define BAKE_AGENT_WATCH_H

#include "agent/http/http.h"
#include "agent/os/root.h"
#include "agent/rotate/rotate.h"
#include "agent/os/log.h"

enum { WATCH_WAIT_S = 60, WATCH_SOON_S = 3, WATCH_FETCH_S = 30, WATCH_STAGGER_S = 10, WATCH_HEALTH_S = 10 };

struct metadata_watch {
    const struct root *root;
    const struct wire_peer *peer;
    const struct log *log;
    struct wire_peer health; /* etcd's, for restores; port 0: not asked */
    struct rotate rotate;
    bool soon;                       /* the next round is due in WATCH_SOON_S, whatever changes */
    unsigned stagger_s;              /* between members that act on one change */
    char last_problem[ERR_TEXT_MAX]; /* "" when all was well */
};

_Noreturn void watch_run(struct metadata_watch *watch);

/* Fetches the metadata once and acts on it. */
must_check int watch_once(struct metadata_watch *watch, struct err *err);

#endif
