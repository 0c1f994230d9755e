/* Metadata, whatever state the metadata server is in.
 *
 * In:    the server's address and how long to wait for it: at most ACQUIRE_KEPT_S if there is a saved copy.
 * Out:   checked metadata, fresh or the last good; the cluster's secret with fresh metadata.
 * Fails: ERR_VERIFY at once when the server's values are invalid: waiting does not fix them, and an old copy
 *        would hide the mistake. ERR_NETWORK when the server does not answer in time and there is no copy.
 * Owns:  the copy in /var/lib/bake: the members of struct node_metadata, never the secret.
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

/* RET_SECRET is unset if the copy was used, and only then. Otherwise the caller saves a new copy, once the
 * node is configured by it. */
must_check int acquire_metadata(const struct root *root, const struct wire_peer *peer, unsigned limit_s,
                                const struct log *log, struct node_metadata *ret,
                                struct cluster_secret *ret_secret, struct err *err);

/* From the server alone, without saving a copy. *RET_WRONG: the server answered with invalid values, so
 * retrying does not help. */
must_check int acquire_fetch(const struct wire_peer *peer, unsigned limit_s, const struct log *log,
                             struct node_metadata *ret, struct cluster_secret *ret_secret, bool *ret_wrong,
                             struct err *err);

/* Returns after at most LIMIT_S seconds, earlier if one of the instance's values changes. Changes of the
 * project's values do not end the wait: callers fetch those each time. */
must_check int acquire_wait(const struct wire_peer *peer, unsigned limit_s, struct err *err);

must_check int acquire_save(const struct root *root, const struct node_metadata *metadata, struct err *err);

/* The last good metadata; *RET_FOUND is false if none was ever saved. */
must_check int acquire_last(const struct root *root, struct node_metadata *ret, bool *ret_found,
                            struct err *err);

#endif
