/* A cluster as its operator describes it: the attributes for its machines.
 *
 * In:    the command line's values.
 * Out:   the attributes, in three formats.
 * Fails: ERR_USAGE for what the node's agent would refuse: its own reader checks the metadata of each node.
 * Owns:  the secret, until cluster_clear().
 * Never: prints the secret in a format that ends up on a command line or in Terraform code.
 * Source: `gcloud topic escaping`; Terraform's language reference.
 */
#ifndef BAKE_FRONT_CLUSTER_CLUSTER_H
#define BAKE_FRONT_CLUSTER_CLUSTER_H

#include "node/metadata.h"
#include "bake/ui/options.h"
#include "json/write.h"

enum {
    CLUSTER_SECRET_TEXT = 45,                                                /* base64 of 32 bytes and NUL */
    CLUSTER_NODES_TEXT = NODE_MEMBERS_MAX * (VALUE_NAME_CAP + VALUE_IP_CAP), /* "a=10.0.0.2," each */
    CLUSTER_TEXT_MAX = 64 << 10,
};

struct cluster_options {
    const char *name, *nodes, *first_address, *pod_cidr, *service_cidr, *domain, *api_names, *snapshot_bucket,
        *restore;
    struct option_list roles; /* NODE=ROLE */
};

struct cluster_node {
    char name[VALUE_NAME_CAP];
    char ip[VALUE_IP_CAP];
    const char *role; /* NULL: the default */
};

struct cluster {
    struct cluster_options options;
    struct cluster_node nodes[NODE_MEMBERS_MAX];
    size_t node_count, witness_count;
    char nodes_text[CLUSTER_NODES_TEXT]; /* the attribute */
    char secret[CLUSTER_SECRET_TEXT];
};

/* The nodes of OPTIONS with their addresses and roles, not checked yet. */
must_check int cluster_read(const struct cluster_options *options, struct cluster *ret, struct err *err);

/* A fresh secret from the kernel. */
must_check int cluster_make_secret(struct cluster *cluster, struct err *err);

/* Runs every node's metadata through node_metadata_parse(), as the node will. Needs the secret. */
must_check int cluster_check(const struct cluster *cluster, struct err *err);

/* One line for each node: its name, then arguments of `gcloud compute instances create`, quoted for a shell.
 * SECRET_FILE holds the secret. */
must_check int cluster_gcloud(const struct cluster *cluster, const char *secret_file, struct buf *ret,
                              struct err *err);
/* A Terraform file: locals with each node's attributes, the secret as a sensitive variable. */
void cluster_terraform(const struct cluster *cluster, struct buf *ret);
/* The member "nodes": [{"name", "address", "attributes": {...}}, ...]; without the secret when WITH_SECRET is
 * not set. */
void cluster_json_nodes(const struct cluster *cluster, bool with_secret, struct json_writer *writer);

/* The member "attributes" of one node. */
void cluster_json_attributes(const struct cluster *cluster, const struct cluster_node *node, bool with_secret,
                             struct json_writer *writer);

void cluster_clear(struct cluster *cluster);
#define cleanup_cluster cleanup(cluster_clear)

#endif
