/* Whether a cluster can go from the head of its family to another image, node by node: Kubernetes and etcd
 * change by one minor version at a time. An image says its versions in LABEL_KUBERNETES and LABEL_ETCD; what
 * one of the two does not say is not compared.
 *
 * Fails: ERR_REMOTE: the other image skips a minor version, unless SKIP_MINORS, or has a lower one than the
 *        head, unless ROLLBACK.
 * Source: kubernetes.io/releases/version-skew-policy, etcd.io/docs/v3.6/upgrades and /downgrades.
 *
 * A rollback of etcd by a minor version is not refused: it works until the last member runs the newer one, so
 * it costs a warning to RUN.
 */
#ifndef BAKE_CLOUD_LIFECYCLE_SKEW_H
#define BAKE_CLOUD_LIFECYCLE_SKEW_H

#include "cloud/compute/images.h"

struct skew_rules {
    bool rollback, skip_minors;
};

/* Of both images, name and labels count. */
must_check int skew_check(const struct image *head, const struct image *image, struct skew_rules rules,
                          const struct run *run, struct err *err);

#endif
