/* The node's keys and certificates.
 *
 * In:    metadata, the cluster's secret, the time; what is there already.
 * Out:   /etc/kubernetes/pki: a folder for each consumer, with all that it needs and nothing else, closed to others. On a
 *        witness, etcd's only: what it had as a node is removed.
 * Fails: ERR_IO, ERR_SPACE; ERR_VERIFY from pki_check(). A run that was stopped half-way is finished by the next one: a
 *        key and a certificate that do not belong together are both made again.
 * Owns:  nothing.
 * Never: issues again what is good: a certificate whose names, issuer and key are right and that has
 *        X509_RENEW_DAYS left stays byte for byte. Writes the authorities' keys, but for the one that the controller
 *        manager signs with.
 * Source: the kubeconfig format and the certificates' subjects: Kubernetes' "PKI certificates and requirements" and
 *        "Using Node Authorization".
 *
 * Certificate authorities, the service accounts' key, the key for secrets at rest and the one that seals the members'
 * packets are derived from the secret, so all nodes have the same. All else is each node's own.
 */
#ifndef BAKE_AGENT_PKI_PKI_H
#define BAKE_AGENT_PKI_PKI_H

#include "node/metadata.h"
#include "agent/os/root.h"

#define PKI_DIR        "/etc/kubernetes/pki"
#define PKI_PEER_KEY   PKI_DIR "/agent/peer.key" /* 64 hex digits */
#define PKI_API_NAME   "api.bake.internal"       /* all API servers, by /etc/hosts, the node's own first */
#define PKI_API_PORT   6443
#define PKI_PEER_LABEL "peer"

enum pki_folder {
    PKI_APISERVER,
    PKI_CONTROLLER_MANAGER,
    PKI_SCHEDULER,
    PKI_KUBELET,
    PKI_KUBE_PROXY,
    PKI_NETWORK,
    PKI_ADMIN,
    PKI_ETCD,
    PKI_AGENT,
    PKI_FOLDERS
};

/* RET_CHANGED: a bit, 1 << enum pki_folder, for each folder in which something was written. */
must_check int pki_write(const struct root *root, const struct metadata *metadata,
                         const struct secret *secret, time_t now, unsigned *ret_changed, struct err *err);

/* Without the secret: whether everything is there that pki_write() would make, fits together, and has not expired. */
must_check int pki_check(const struct root *root, const struct metadata *metadata, time_t now,
                         struct err *err);

/* Whether the keys that are there were made of this secret; true when there are none yet. */
bool pki_same_secret(const struct root *root, const struct metadata *metadata, const struct secret *secret);

/* The first address of the service range: the API's own. */
void pki_service_address(const struct metadata *metadata, unsigned nth, char ret[static VALUE_IP_CAP]);

#endif
