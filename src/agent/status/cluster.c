#include "agent/status/cluster.h"

#include <string.h>

#include "node/pki.h"

struct cluster_reader {
    const struct root *root;
    const struct node_metadata *metadata;
    const struct cluster_ports *ports;
    struct cluster_state *state;
    struct buf *problems;
};

static struct cluster_row *add_row(struct cluster_state *state, const char *name, const char *ip)
{
    if (state->count == CLUSTER_ROWS)
        return NULL;
    struct cluster_row *row = &state->rows[state->count++];
    *row = (struct cluster_row){0};
    snprintf(row->name, sizeof row->name, "%s", name);
    snprintf(row->ip, sizeof row->ip, "%s", ip);
    return row;
}

static struct cluster_row *find_row(struct cluster_state *state, const char *ip)
{
    for (size_t i = 0; i < state->count; i++)
        if (strcmp(state->rows[i].ip, ip) == 0)
            return &state->rows[i];
    return NULL;
}

/* "https://10.0.0.2:2380" */
static void address_of(const char *peer_url, char ret[static VALUE_IP_CAP])
{
    const char *at = strstr(peer_url, "://");
    size_t len = at ? strcspn(at + 3, ":/") : 0;
    snprintf(ret, VALUE_IP_CAP, "%.*s", len < VALUE_IP_CAP ? (int)len : 0, at ? at + 3 : "");
    if (!value_ip_ok(ret))
        ret[0] = '\0';
}

static void add_members(const struct cluster_reader *r, const struct etcd_members *members)
{
    for (size_t i = 0; i < members->count; i++) {
        const struct etcd_member *member = &members->members[i];
        char ip[VALUE_IP_CAP];
        address_of(member->peer_url, ip);
        struct cluster_row *row = find_row(r->state, ip);
        if (!row && !(row = add_row(r->state, member->name, ip)))
            return;
        snprintf(row->id, sizeof row->id, "%s", member->id);
    }
}

/* This node first: it is near, and most likely well. */
static size_t nth_row(const struct cluster_reader *r, size_t nth)
{
    size_t self = r->metadata->self;
    return nth == 0 ? self : nth <= self ? nth - 1 : nth;
}

static void ask_members(const struct cluster_reader *r, const struct tls_files *files)
{
    struct etcd_members members;
    struct err err = {0};
    for (size_t i = 0; i < r->metadata->node_count && !r->state->has_members; i++) {
        struct etcd_api api = etcd_api_at(files, r->metadata->nodes[nth_row(r, i)].ip, r->ports->etcd);
        r->state->has_members = etcd_members_ask(&api, &members, &err) == 0;
    }
    if (r->state->has_members)
        add_members(r, &members);
    else
        buf_printf(r->problems, "etcd has no quorum, or no member answers: %s\n", err.text);
}

static int ask_status(const struct etcd_api *api, struct cluster_row *row, struct err *err)
{
    cleanup_buf struct buf answer = BUF_INIT(AGENT_HTTP_BODY_MAX);
    if (etcd_post(api, "/v3/maintenance/status", "{}", CLUSTER_ASK_MS, &answer, err) < 0)
        return -1;
    return cluster_parse_status(answer.data ? answer.data : "", answer.len, row, err);
}

static int ask_alarms(const struct etcd_api *api, struct cluster_state *state, struct err *err)
{
    cleanup_buf struct buf answer = BUF_INIT(AGENT_HTTP_BODY_MAX);
    if (etcd_post(api, "/v3/maintenance/alarm", "{\"action\":\"GET\"}", CLUSTER_ASK_MS, &answer, err) < 0)
        return -1;
    return cluster_parse_alarms(answer.data ? answer.data : "", answer.len, state, err);
}

static void ask_etcd(const struct cluster_reader *r)
{
    const struct tls_files files = etcd_admin_files(r->root);
    struct err err;
    bool asked = false;
    ask_members(r, &files);
    for (size_t i = 0; i < r->state->count; i++) {
        struct cluster_row *row = &r->state->rows[i];
        struct etcd_api api = etcd_api_at(&files, row->ip, r->ports->etcd);
        if (row->ip[0] == '\0')
            continue;
        if (ask_status(&api, row, &err) < 0)
            buf_printf(r->problems, "%s: its etcd does not answer: %s\n", row->name, err.text);
        else if (!asked && r->state->has_members && !(asked = ask_alarms(&api, r->state, &err) == 0))
            buf_printf(r->problems, "%s: its etcd does not list alarms: %s\n", row->name, err.text);
    }
}

static int ask_api(const struct cluster_reader *r, const char *ip, const char *path, struct buf *ret,
                   struct err *err)
{
    const struct tls_files files = {r->root, PKI_ADMIN_CA, PKI_ADMIN_CERT, PKI_ADMIN_KEY};
    struct wire_peer peer = {.port = r->ports->api};
    struct tls_request request = {.files = &files, .peer = &peer, .path = path, .timeout_ms = CLUSTER_ASK_MS};
    int status = 0;
    snprintf(peer.host, sizeof peer.host, "%s", ip);
    if (tls_send(&request, &status, ret, err) < 0)
        return -1;
    return status == 200 ? 0 : err_set(err, ERR_REMOTE, 0, "https://%s%s answers %d", ip, path, status);
}

/* From the first API server that is ready; it answers from its cache where etcd is away. */
static void ask_kubernetes(const struct cluster_reader *r)
{
    struct err err = {0};
    bool known = false;
    for (size_t i = 0; i < r->state->count; i++) {
        struct cluster_row *row = &r->state->rows[i];
        cleanup_buf struct buf answer = BUF_INIT(AGENT_HTTP_BODY_MAX), nodes = BUF_INIT(AGENT_HTTP_BODY_MAX);
        if (row->ip[0] == '\0')
            continue;
        row->serves = ask_api(r, row->ip, "/readyz", &answer, &err) == 0;
        if (!known)
            known = ask_api(r, row->ip, "/api/v1/nodes?resourceVersion=0", &nodes, &err) == 0 &&
                    cluster_parse_nodes(nodes.data ? nodes.data : "", nodes.len, r->state, &err) == 0;
    }
    if (!known)
        buf_printf(r->problems, "no API server lists the nodes: %s\n", err.text);
}

static const char *name_of(const struct cluster_state *state, const char *id)
{
    for (size_t i = 0; i < state->count; i++)
        if (id[0] && strcmp(state->rows[i].id, id) == 0)
            return state->rows[i].name;
    return "a member that is gone";
}

static void judge(const struct cluster_state *state, struct buf *problems)
{
    bool leader = false;
    for (size_t i = 0; i < state->count; i++) {
        const struct cluster_row *row = &state->rows[i];
        const char *name = row->name[0] ? row->name : "a member that has not started";
        leader = leader || row->leads;
        if (state->has_members && row->id[0] == '\0')
            buf_printf(problems, "%s is in cluster-nodes, but no member of etcd\n", name);
        if (!row->listed)
            buf_printf(problems, "%s is a member of etcd, but not in cluster-nodes\n", name);
        if (row->learns)
            buf_printf(problems, "%s does not vote yet\n", name);
        if (row->has_node && !row->ready)
            buf_printf(problems, "%s is not Ready\n", name);
        if (row->has_node && row->ready && !row->serves)
            buf_printf(problems, "%s: its API server is not ready\n", name);
        if (row->closed)
            buf_printf(problems, "%s is cordoned\n", name);
    }
    if (state->has_members && !leader)
        buf_str(problems, "no member that answers is etcd's leader\n");
    for (size_t i = 0; i < state->alarm_count; i++)
        buf_printf(problems, "etcd's alarm %s, of %s\n", state->alarms[i].what,
                   name_of(state, state->alarms[i].id));
}

int status_read_cluster(const struct root *root, const struct node_metadata *metadata,
                        const struct cluster_ports *ports, struct cluster_state *ret, struct buf *problems,
                        struct err *err)
{
    cleanup_free struct cluster_state *state = calloc(1, sizeof *state);
    if (!state)
        return err_oom(err);
    const struct cluster_reader reader = {root, metadata, ports, state, problems};
    for (size_t i = 0; i < metadata->node_count; i++) {
        struct cluster_row *row = add_row(state, metadata->nodes[i].name, metadata->nodes[i].ip);
        if (row)
            row->listed = true;
    }
    ask_etcd(&reader);
    if (metadata->role == NODE_ROLE_NODE) /* a witness has no key for the API */
        ask_kubernetes(&reader);
    judge(state, problems);
    *ret = *state;
    return 0;
}
