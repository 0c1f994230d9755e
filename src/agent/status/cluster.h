/* How the whole cluster is, asked from one of its nodes.
 *
 * In:    metadata; the administrator's keys on this node; etcd and the API servers of all members.
 * Out:   a row for each member, whether cluster-nodes lists it or etcd does; etcd's alarms.
 * Fails: -1 only when out of memory: what does not answer is a problem, with its name.
 * Never: changes anything. Waits longer than CLUSTER_ASK_MS for one answer.
 * Source: https://etcd.io/docs/v3.6/dev-guide/api_reference_v3/ (Maintenance); Kubernetes' API, Node
 */
#ifndef BAKE_AGENT_STATUS_CLUSTER_H
#define BAKE_AGENT_STATUS_CLUSTER_H

#include "agent/etcd/api.h"
#include "node/metadata.h"

enum {
    CLUSTER_ASK_MS = 2000,
    CLUSTER_ROWS = ETCD_MEMBERS_MAX + NODE_MEMBERS_MAX,
    CLUSTER_WORD = 32,
    CLUSTER_ALARMS = 32
};

struct cluster_row {
    char name[VALUE_NAME_CAP], ip[VALUE_IP_CAP]; /* "" for a member that has not started */
    char id[VALUE_ID_CAP];                       /* etcd's; "": no member */
    bool listed;                                 /* in cluster-nodes */
    bool answers, leads, learns;                 /* its etcd */
    char version[CLUSTER_WORD];
    uint64_t bytes, used_bytes; /* of its database */
    bool serves;                /* its API server is ready */
    bool has_node, ready, closed;
    char kubelet[CLUSTER_WORD];
};

struct cluster_alarm {
    char id[VALUE_ID_CAP], what[CLUSTER_WORD];
};

struct cluster_state {
    struct cluster_row rows[CLUSTER_ROWS];
    size_t count;
    struct cluster_alarm alarms[CLUSTER_ALARMS];
    size_t alarm_count;
    bool has_members; /* etcd's list was read through the quorum */
};

/* Ports of etcd and of the API servers, for tests. */
struct cluster_ports {
    uint16_t etcd, api;
};

must_check int status_read_cluster(const struct root *root, const struct node_metadata *metadata,
                                   const struct cluster_ports *ports, struct cluster_state *ret,
                                   struct buf *problems, struct err *err);

/* The parts, for tests. Each fills in what the answer says, and fails with ERR_VERIFY. */
must_check int cluster_parse_status(const char *text, size_t len, struct cluster_row *row, struct err *err);
must_check int cluster_parse_alarms(const char *text, size_t len, struct cluster_state *state,
                                    struct err *err);
must_check int cluster_parse_nodes(const char *text, size_t len, struct cluster_state *state,
                                   struct err *err);

#endif
