/* Keys that make `bake test` a client of the tested cluster's etcd, derived from the cluster's secret as
 * nodes derive theirs.
 *
 * In:    the cluster's name, the text of its cluster-secret attribute, the time.
 * Out:   the authority's certificate, a client's certificate and key, as PEM in memory.
 * Fails: ERR_USAGE for a malformed secret.
 * Owns:  the PEM, which is wiped in the end.
 */
#ifndef BAKE_FRONT_TRIAL_KEYS_H
#define BAKE_FRONT_TRIAL_KEYS_H

#include "base/buf.h"

struct trial_keys {
    struct buf authority, cert, key;
};

must_check int trial_keys_make(const char *cluster, const char *secret, struct trial_keys *ret,
                               struct err *err);
void trial_keys_clear(struct trial_keys *keys);
#define cleanup_trial_keys cleanup(trial_keys_clear)

#endif
