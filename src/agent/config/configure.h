/* Everything that the agent writes from metadata: keys, certificates, configuration. Shared by boot and
 * watch.
 *
 * In:    checked metadata; the secret, unset if the metadata server is down: then the keys of an earlier boot
 *        are used.
 * Out:   the files of pki/files.h and config/render.h, and which consumers' files changed.
 * Fails: as those. The files written until then are valid, and the next run continues.
 */
#ifndef BAKE_AGENT_CONFIG_CONFIGURE_H
#define BAKE_AGENT_CONFIG_CONFIGURE_H

#include <time.h>

#include "agent/config/rotation.h"
#include "node/metadata.h"
#include "agent/os/root.h"

/* Whose files changed. */
enum configured {
    CONFIGURED_ETCD_KEYS = 1 << 0,
    CONFIGURED_KUBELET = 1 << 1,
    CONFIGURED_KUBE_PROXY = 1 << 2,
    CONFIGURED_NETWORK = 1 << 3,
    CONFIGURED_ADDONS = 1 << 4,
    CONFIGURED_OTHER = 1 << 5, /* consumers that notice changes themselves */
};

/* ROTATION: where the node is, or will be. RET_CHANGED: bits of enum configured. */
must_check int configure(const struct root *root, const struct node_metadata *metadata,
                         const struct cluster_secret *secret, const struct rotation *rotation, time_t now,
                         unsigned *ret_changed, struct err *err);

/* What the secrets ask of this node, and where it is. ERR_VERIFY if it cannot follow them: the keys on this
 * disk were derived from others, or for another cluster-name. */
must_check int configure_check_secret(const struct root *root, const struct node_metadata *metadata,
                                      const struct cluster_secret *secret, struct rotation *ret_rotation,
                                      enum rotation_step *ret_step, struct err *err);

/* The recipe's pod network, from /opt/bake/network; "vxlan" in an image without that file. */
enum { NETWORK_WORD_CAP = 16 };
must_check int configure_network_word(const struct root *root, char ret[static NETWORK_WORD_CAP],
                                      struct err *err);

#endif
