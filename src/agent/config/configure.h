/* Everything that the agent writes from metadata: keys, certificates, configuration. One entry for boot and watch.
 *
 * In:    checked metadata; the secret, unset when the metadata server is away and what was written before has to do.
 * Out:   the files that secret.h's keys, pki.h and render.h name, and which of them changed.
 * Fails: as those; whatever was written by then is good by itself, and the next run goes on.
 * Owns:  nothing.
 */
#ifndef BAKE_AGENT_CONFIG_CONFIGURE_H
#define BAKE_AGENT_CONFIG_CONFIGURE_H

#include <time.h>

#include "node/metadata.h"
#include "agent/os/root.h"

/* What has to read its files again. */
enum configured {
    CONFIGURED_ETCD_KEYS = 1 << 0,
    CONFIGURED_KUBELET = 1 << 1,
    CONFIGURED_KUBE_PROXY = 1 << 2,
    CONFIGURED_NETWORK = 1 << 3,
    CONFIGURED_ADDONS = 1 << 4,
    CONFIGURED_OTHER = 1 << 5, /* files that are read again without our doing */
};

/* RET_CHANGED: bits of enum configured. */
must_check int configure(const struct root *root, const struct node_metadata *metadata,
                         const struct cluster_secret *secret, time_t now, unsigned *ret_changed,
                         struct err *err);

/* Whether the keys on this disk were made of this secret. */
bool configure_same_secret(const struct root *root, const struct node_metadata *metadata,
                           const struct cluster_secret *secret);

/* The recipe's pod network, from /opt/bake/network; "vxlan" in an image without that file. */
enum { NETWORK_WORD_CAP = 16 };
must_check int configure_network_word(const struct root *root, char ret[static NETWORK_WORD_CAP],
                                      struct err *err);

#endif
