/* What /etc/kubernetes/pki holds: which files, and what each must be. Pure; agent/pki/ reads and writes the
 * disk.
 *
 * In:    metadata.
 * Out:   for each file the authority behind it, what a certificate is issued for, or the text of the other
 *        files.
 * Fails: a buffer that overflows reports it itself (buf_check()).
 * Owns:  nothing; a struct pki_wanted points into the table, the metadata and itself.
 * Source: Kubernetes, "PKI certificates and requirements", "Using Node Authorization" and the kubeconfig
 *         format.
 *
 * Certificate authorities, the service accounts' key, the key for secrets at rest and the key of the members'
 * boxes are derived from the cluster's secret, so all nodes have the same. Everything else is each node's
 * own.
 */
#ifndef BAKE_NODE_PKI_H
#define BAKE_NODE_PKI_H

#include "node/metadata.h"
#include "node/x509.h"
#include "text/path.h"

#define PKI_DIR      "/etc/kubernetes/pki"
#define PKI_PEER_KEY PKI_DIR "/agent/peer.key" /* 64 hex digits */
/* The administrator's, for the API and for etcd. */
#define PKI_ADMIN_CA        PKI_DIR "/admin/ca.crt"
#define PKI_ADMIN_CERT      PKI_DIR "/admin/client.crt"
#define PKI_ADMIN_KEY       PKI_DIR "/admin/client.key"
#define PKI_ADMIN_ETCD_CA   PKI_DIR "/admin/etcd-ca.crt"
#define PKI_ADMIN_ETCD_CERT PKI_DIR "/admin/etcd-client.crt"
#define PKI_ADMIN_ETCD_KEY  PKI_DIR "/admin/etcd-client.key"
#define PKI_API_NAME        "api.bake.internal" /* all API servers, by /etc/hosts, the node's own first */
#define PKI_API_PORT        6443
#define PKI_PEER_LABEL      "peer"

/* Of snapshots in a bucket. */
#define PKI_SNAPSHOT_KEY   PKI_DIR "/agent/snapshot.key" /* 64 hex digits */
#define PKI_SNAPSHOT_LABEL "snapshots"

enum { PKI_FILE_MAX = 16 << 10, PKI_KEY_BASE64 = 44 };

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

/* One authority for each kind of trust: a client of the API is not a client of etcd. */
enum pki_authority { PKI_OF_CLUSTER, PKI_OF_ETCD, PKI_OF_FRONT_PROXY, PKI_AUTHORITIES };

struct pki_authority_spec {
    const char *label, *common_name;
};
extern const struct pki_authority_spec pki_authorities[PKI_AUTHORITIES];

/* A copy of an authority's certificate; of both, while the cluster changes its secret. */
struct pki_copy {
    enum pki_folder folder;
    enum pki_authority authority;
    const char *file;
    bool alone; /* of the one that signs: the controller manager takes a file of two for an error */
};
enum { PKI_COPIES = 13, PKI_LEAVES = 14 };
extern const struct pki_copy pki_copies[PKI_COPIES];

enum pki_names { PKI_NO_NAMES, PKI_API_NAMES, PKI_NODE_NAMES, PKI_MEMBER_NAMES };

/* "%s" in a common name stands for the node's name. */
struct pki_leaf {
    enum pki_folder folder;
    enum pki_authority authority;
    const char *file; /* without .crt and .key */
    const char *common_name, *organization;
    enum pki_names names;
    bool server, client;
};
extern const struct pki_leaf pki_leaves[PKI_LEAVES];

/* What a certificate is issued for. Points into itself: not to be copied. */
struct pki_wanted {
    struct x509_leaf spec;
    char common_name[VALUE_NAME_CAP + 16];
    char service[VALUE_IP_CAP];
    char full[VALUE_DOMAIN_CAP + 32];
};
void pki_want(const struct pki_leaf *leaf, const struct node_metadata *metadata, struct pki_wanted *ret);

/* Whether the node has that folder, and in it the files of etcd or those of Kubernetes: a witness does not
 * need the latter. */
bool pki_has(const struct node_metadata *metadata, enum pki_folder folder, bool is_etcd);

void pki_folder_path(enum pki_folder folder, char ret[static PATH_CAP]);
void pki_path(enum pki_folder folder, const char *file, const char *suffix, char ret[static PATH_CAP]);

/* Adds nothing for a folder without a kubeconfig. */
void pki_kubeconfig(const struct node_metadata *metadata, enum pki_folder folder, struct buf *ret);

/* The API server's encryption.yaml: it writes with the first key, and reads with both. OTHER: NULL for
 * one alone. */
void pki_encryption(const char base64[static PKI_KEY_BASE64], const char *other, struct buf *ret);

/* The API server's authentication.yaml: health checks need no certificate, everything else does. */
void pki_authentication(struct buf *ret);

/* The NTH address of the service range; the first one is the API's. */
void pki_service_address(const struct node_metadata *metadata, unsigned nth, char ret[static VALUE_IP_CAP]);

#endif
