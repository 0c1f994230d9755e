/* The members of a running etcd cluster, listed and changed through the JSON gateway of its v3 API.
 *
 * In:    one member's client address, the files for TLS; answers of up to AGENT_HTTP_BODY_MAX bytes.
 * Out:   members: id in decimal, name (empty until it has started), its one peer URL.
 * Fails: ERR_NETWORK: that member is unreachable, or reports that it has no quorum in time; ERR_REMOTE: etcd
 *        refuses, with its reason; ERR_VERIFY: the answer is not etcd's, or lists a member that no node of
 *        this cluster can have added.
 * Never: trusts a list that only one member holds: etcd_members_ask() reads a key through the quorum first,
 *        so that the member has applied everything decided before, and then reads its list. (etcd 3.4 answers
 *        lists from memory; the request's field for a linearizable list is new in 3.5.)
 * Source: https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/ and api_reference_v3 (Cluster, KV); JSON
 *         mapping of proto3: 64-bit numbers are strings, defaults are omitted
 */
#ifndef BAKE_AGENT_ETCD_API_H
#define BAKE_AGENT_ETCD_API_H

#include <stdbool.h>

#include "agent/http/tls.h"
#include "node/values.h"

enum {
    ETCD_API_PORT = 2379,
    ETCD_MEMBERS_MAX = 16,
    ETCD_URL_CAP = 64,
    ETCD_ASK_MS = 3000,
    ETCD_CHANGE_MS = 10000
};

struct etcd_member {
    char id[VALUE_ID_CAP];
    char name[VALUE_NAME_CAP]; /* "?": a name that no node can have */
    char peer_url[ETCD_URL_CAP];
    bool is_learner; /* it receives everything, has no vote, and serves nobody */
};

struct etcd_members {
    struct etcd_member members[ETCD_MEMBERS_MAX];
    size_t count;
};

struct etcd_api {
    const struct tls_files *files;
    struct wire_peer peer;
};

/* The node's own files with which it may do everything. */
struct tls_files etcd_admin_files(const struct root *root);
/* FILES must outlive it. */
struct etcd_api etcd_api_at(const struct tls_files *files, const char *ip, uint16_t port);

must_check int etcd_members_ask(const struct etcd_api *api, struct etcd_members *ret, struct err *err);
must_check int etcd_member_remove(const struct etcd_api *api, const char *id, struct err *err);
/* As a learner. RET gets all members, including the new one. */
must_check int etcd_member_add(const struct etcd_api *api, const char *peer_url, struct etcd_members *ret,
                               struct err *err);

/* A learner gets its vote: refused until it has caught up. */
must_check int etcd_member_promote(const struct etcd_api *api, const char *id, struct err *err);

/* One call of the gateway: the body of its 200 answer. */
must_check int etcd_post(const struct etcd_api *api, const char *path, const char *body, unsigned timeout_ms,
                         struct buf *ret, struct err *err);

/* The answer of list and add. */
must_check int etcd_members_parse(const char *text, size_t len, struct etcd_members *ret, struct err *err);
/* The reason in a refusal, safe to log; "" when there is none. */
void etcd_reason_parse(const char *text, size_t len, char *ret, size_t cap);

#endif
