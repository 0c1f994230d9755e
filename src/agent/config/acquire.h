/* Metadata, whatever state the metadata server is in.
 *
 * In:    the server's address and how long to wait for it: with a copy at hand, ACQUIRE_KEPT_S at most.
 * Out:   checked metadata, fresh or the last good; with fresh ones the cluster's secret.
 * Fails: ERR_VERIFY at once when what the server says is wrong: waiting does not mend it, and an old copy would
 *        hide it. ERR_NETWORK when the server does not answer in time and there is no copy.
 * Owns:  the copy in /var/lib/bake, which holds what metadata.h keeps and no secret.
 */
#ifndef BAKE_AGENT_CONFIG_ACQUIRE_H
#define BAKE_AGENT_CONFIG_ACQUIRE_H

#include "agent/http/http.h"
#include "node/metadata.h"
#include "agent/os/root.h"
#include "agent/os/log.h"

#define ACQUIRE_COPY "/var/lib/bake/metadata.json"

enum {
    ACQUIRE_PAUSE_MIN_MS = 100,
    ACQUIRE_PAUSE_MAX_MS = 5000,
    ACQUIRE_REQUEST_MS = 10000,
    ACQUIRE_KEPT_S = 15
};

/* RET_SECRET is unset when the copy was used, and only then. The copy is renewed otherwise; that it could not be is said,
 * and no failure. */
must_check int acquire_metadata(const struct root *root, const struct wire_peer *peer, unsigned limit_s,
                                const struct log *log, struct node_metadata *ret,
                                struct cluster_secret *ret_secret, struct err *err);

/* From the server alone, and without keeping a copy. *RET_WRONG: it answered, and what it said is no good: asking again
 * does not mend that. */
must_check int acquire_fetch(const struct wire_peer *peer, unsigned limit_s, const struct log *log,
                             struct node_metadata *ret, struct cluster_secret *ret_secret, bool *ret_wrong,
                             struct err *err);

/* Ends after LIMIT_S seconds at the latest, before that when a value of the instance changed. The project's values have
 * no part in it: who waits looks at them each time. */
must_check int acquire_wait(const struct wire_peer *peer, unsigned limit_s, struct err *err);

must_check int acquire_save(const struct root *root, const struct node_metadata *metadata, struct err *err);

/* The last good metadata; *RET_FOUND false when none was ever kept. */
must_check int acquire_last(const struct root *root, struct node_metadata *ret, bool *ret_found,
                            struct err *err);

#endif
