/* The list of what is in /etc/kubernetes/pki, and what each file must be.
 *
 * In:    metadata.
 * Out:   for each file: the authority that it comes from, what a certificate is issued for, the text of what is no
 *        certificate, and whether a leaf on disk is what it must be.
 * Fails: never; a buffer that overflows says so itself, and a file that cannot be read does not fit.
 * Owns:  nothing; a struct pki_wanted points into the list, the metadata and itself.
 * Never: writes to a disk.
 * Source: as pki.h.
 */
#ifndef BAKE_AGENT_PKI_LIST_H
#define BAKE_AGENT_PKI_LIST_H

#include "agent/pki/pki.h"
#include "node/x509.h"
#include "base/path.h"

enum { PKI_FILE_MAX = 16 << 10, PKI_KEY_BASE64 = 44 };

/* The authorities. Each signs for one kind of trust: a client of the API is none of etcd's. */
enum pki_authority { PKI_OF_CLUSTER, PKI_OF_ETCD, PKI_OF_FRONT_PROXY, PKI_AUTHORITIES };

struct pki_authority_spec {
    const char *label, *common_name;
};
extern const struct pki_authority_spec pki_authorities[PKI_AUTHORITIES];

/* A copy of an authority's certificate. */
struct pki_copy {
    enum pki_folder folder;
    enum pki_authority authority;
    const char *file;
};
enum { PKI_COPIES = 13, PKI_LEAVES = 15 };
extern const struct pki_copy pki_copies[PKI_COPIES];

enum pki_names { PKI_NO_NAMES, PKI_API_NAMES, PKI_NODE_NAMES, PKI_MEMBER_NAMES };

/* "%s" in a common name is the node's. */
struct pki_leaf {
    enum pki_folder folder;
    enum pki_authority authority;
    const char *file; /* without .crt and .key */
    const char *common_name, *organization;
    enum pki_names names;
    bool server, client;
};
extern const struct pki_leaf pki_leaves[PKI_LEAVES];

/* What a certificate is issued for; the strings are the leaf's, the metadata's and those of this. Not to be copied. */
struct pki_wanted {
    struct x509_leaf spec;
    char common_name[VALUE_NAME_CAP + 16];
    char service[VALUE_IP_CAP];
    char full[VALUE_DOMAIN_CAP + 32];
};
void pki_want(const struct pki_leaf *leaf, const struct metadata *metadata, struct pki_wanted *ret);

/* Reads the leaf's pair into CERT and KEY: whether it is one, is AUTHORITY's, is for this node, and has SPARE_S seconds
 * left. */
bool pki_leaf_fits(const struct root *root, const struct pki_leaf *leaf, const X509 *authority,
                   const struct metadata *metadata, time_t now, time_t spare_s, struct buf *cert,
                   struct buf *key);

/* Whether the node has that folder, and of it what is etcd's or what is Kubernetes': a witness has no use for the latter. */
bool pki_has(const struct metadata *metadata, enum pki_folder folder, bool is_etcd);

void pki_folder_path(enum pki_folder folder, char ret[static PATH_CAP]);
void pki_path(enum pki_folder folder, const char *file, const char *suffix, char ret[static PATH_CAP]);

/* Nothing is added for a folder that has no kubeconfig. */
void pki_kubeconfig(const struct metadata *metadata, enum pki_folder folder, struct buf *ret);

/* The API server's encryption.yaml with one key. */
void pki_encryption(const char base64[static PKI_KEY_BASE64], struct buf *ret);

#endif
