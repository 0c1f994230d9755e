/* What a node knows about itself: from the metadata server, or from its last good copy.
 *
 * In:    JSON as GCE serves it for instance/ and project/attributes/ with ?recursive=true&alt=json.
 * Out:   checked values only.
 * Fails: ERR_VERIFY naming the value: malformed JSON, or a value that is missing or invalid.
 * Never: keeps an unchecked value, or one that the node does not use. cluster-secret is kept apart, so that
 *        code that writes metadata cannot write the secret.
 * Source: https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys
 */
#ifndef BAKE_NODE_METADATA_H
#define BAKE_NODE_METADATA_H

#include <stdbool.h>
#include <stddef.h>

#include "node/cluster_secret.h"
#include "node/values.h"
#include "base/buf.h"
#include "base/err.h"

enum { NODE_MEMBERS_MAX = 9, NODE_API_NAMES_MAX = 8, NODE_METADATA_COPY_MAX = 16 << 10 };

enum node_role {
    NODE_ROLE_NODE,    /* a member of etcd that runs the control plane and pods */
    NODE_ROLE_WITNESS, /* a member of etcd and nothing else */
};

struct node_member {
    char name[VALUE_NAME_CAP];
    char ip[VALUE_IP_CAP];
};

struct node_metadata {
    char name[VALUE_NAME_CAP]; /* the instance's, and the node's */
    char id[VALUE_ID_CAP];
    char hostname[VALUE_DOMAIN_CAP];
    char zone[VALUE_NAME_CAP]; /* the last component of GCE's value */
    char ip[VALUE_IP_CAP];
    char cluster_name[VALUE_NAME_CAP];
    char pod_cidr[VALUE_CIDR_CAP];
    char service_cidr[VALUE_CIDR_CAP];
    char domain[VALUE_DOMAIN_CAP];
    char api_names[NODE_API_NAMES_MAX][VALUE_DOMAIN_CAP]; /* more names and addresses of the API server */
    size_t api_name_count;
    char snapshot_bucket[VALUE_BUCKET_CAP]; /* "": none */
    char restore[VALUE_RESTORE_CAP];        /* cluster-restore; "": none */
    enum node_role role;
    struct node_member
        nodes[NODE_MEMBERS_MAX]; /* including this one, in the operator's order, which matters */
    size_t node_count;
    size_t self; /* this node's index */
};

struct node_metadata_text {
    const char *text;
    size_t len;
};

/* An attribute of the instance overrides the project's; an empty one counts as missing. Without cluster-nodes
 * this node is the whole cluster; with it, this node must be listed. RET_SECRET gets cluster-secret, or stays
 * unset; NULL: it is not read. */
must_check int node_metadata_parse(const struct node_metadata_text *instance,
                                   const struct node_metadata_text *project, struct node_metadata *ret,
                                   struct cluster_secret *ret_secret, struct err *err);

/* Writes an instance/ document that node_metadata_parse() reads back, with "{}" for the project. */
void node_metadata_write(const struct node_metadata *metadata, struct buf *ret);

/* Whether both list the same members, in the same order. */
bool node_metadata_same_members(const struct node_metadata *a, const struct node_metadata *b);

/* "a=10.0.0.2,b=10.0.1.2" */
void node_metadata_write_members(const struct node_metadata *metadata, struct buf *ret);

#endif
