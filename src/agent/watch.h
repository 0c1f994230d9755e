/* `bake-agent watch`: keeps a running node configured.
 *
 * In:    the metadata server; what boot left on disk.
 * Out:   what boot would write now, and restarts of what has to read it again. Once a minute at the least: a file that was
 *        lost or damaged is written again, a certificate is renewed when a third of its life is left.
 * Fails: never for good: what is wrong is said once, and looked at again. watch_once() gives its errors to tests.
 * Owns:  nothing.
 * Never: follows a change that a running node cannot take: another name, address, secret, range, role. It says so, and
 *        the next boot takes them. Never acts on all members at once: each waits by its place in cluster-nodes.
 */
#ifndef BAKE_AGENT_WATCH_H
#define BAKE_AGENT_WATCH_H

#include "agent/http/http.h"
#include "agent/os/root.h"
#include "agent/os/log.h"

enum { WATCH_WAIT_S = 60, WATCH_FETCH_S = 30, WATCH_STAGGER_S = 10 };

struct metadata_watch {
    const struct root *root;
    const struct wire_peer *peer;
    const struct log *log;
    unsigned stagger_s;              /* between members that act on one change */
    bool act;                        /* restart units; tests do not */
    char last_problem[ERR_TEXT_MAX]; /* "" when all was well */
};

/* For ever. */
_Noreturn void watch_run(struct metadata_watch *watch);

/* Looks at the metadata once, and acts on it. */
must_check int watch_once(struct metadata_watch *watch, struct err *err);

#endif
