#include "boot/cluster/cluster.h"

#include <string.h>

#include "boot/cluster/nodes.h"
#include "boot/cluster/writer.h"

/* ASK_MS: handshakes are slow on an emulated processor. ROUND_MS: the interval of requests to all members. */
enum {
    ASK_MS = 4000,
    WRITE_MS = 1000,
    RANGE_MS = 30000,
    ROUND_MS = 500,
    WRITE_EVERY_MS = 200,
    PAUSE_MS = 20,
    WRITES_BETWEEN = 10
};

struct scenario {
    struct nodes nodes;
    struct etcd_writer writer;
    struct etcd_client *client;
    size_t turn; /* index of the member that took the last write */
    double next_write;
    struct cluster_result *result;
};

static void scenario_free(struct scenario **scenario)
{
    if (!*scenario)
        return;
    etcd_client_free((*scenario)->client);
    nodes_stop(&(*scenario)->nodes);
    writer_free(&(*scenario)->writer);
    free(*scenario);
}
#define cleanup_scenario cleanup(scenario_free)

static int idle(void *ctx, struct err *err)
{
    struct scenario *scenario = ctx;
    return nodes_pump(&scenario->nodes, 0, err);
}

/* No answer or a refusal: another attempt may succeed. */
static bool not_yet(const struct err *err)
{
    return err->kind == ERR_NETWORK || err->kind == ERR_REMOTE;
}

/* --- writes --- */

static int write_by(struct scenario *scenario, struct node *node, bool *ret_done, struct err *err)
{
    int r = writer_write(&scenario->writer, scenario->client, node->values.ip, WRITE_MS, ret_done, err);
    scenario->result->attempted = scenario->writer.attempted;
    scenario->result->acknowledged = scenario->writer.acknowledged;
    node->takes_writes = node->takes_writes || *ret_done;
    if (r == 0 && !*ret_done)
        run_note(scenario->nodes.run, "writer", "%s", err->text);
    return r;
}

/* One write through the next member that has taken one before. There always is one: the first to take a
 * write, or one that survived the cut. */
static int write_once(struct scenario *scenario, const struct node **ret_through, struct err *err)
{
    struct nodes *nodes = &scenario->nodes;
    bool done = false;
    do
        scenario->turn = (scenario->turn + 1) % nodes->count;
    while (!nodes->list[scenario->turn].takes_writes);
    struct node *node = &nodes->list[scenario->turn];
    int r = write_by(scenario, node, &done, err);
    if (ret_through)
        *ret_through = done ? node : NULL;
    return r;
}

/* Processes output, and keeps writing at a steady rate once the first write was acknowledged. */
static int write_while_waiting(struct scenario *scenario, struct err *err)
{
    if (nodes_pump(&scenario->nodes, ROUND_MS / 5, err) < 0)
        return -1;
    if (scenario->writer.acknowledged == 0 || console_now() < scenario->next_write)
        return 0;
    scenario->next_write = console_now() + WRITE_EVERY_MS / 1e3;
    return write_once(scenario, NULL, err);
}

static int pass_time(struct scenario *scenario, unsigned ms, struct err *err)
{
    double until = console_now() + ms / 1e3;
    while (console_now() < until)
        if (write_while_waiting(scenario, err) < 0)
            return -1;
    return 0;
}

/* --- members --- */

static const struct etcd_member_seen *find_member(const struct etcd_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->members[i].name, name) == 0)
            return &list->members[i];
    return NULL;
}

/* The list holds exactly the guests, none with the id OLD of the lost member. */
static bool is_whole(const struct nodes *nodes, const struct etcd_list *list, uint64_t old)
{
    if (list->count != nodes->count)
        return false;
    for (size_t i = 0; i < nodes->count; i++) {
        const struct etcd_member_seen *member = find_member(list, nodes->list[i].values.name);
        if (!member || member->id == old)
            return false;
    }
    return true;
}

/* A member takes part if it lists all members, knows the leader and accepts a write. */
static int takes_part(struct scenario *scenario, struct node *node, uint64_t old, bool *ret, struct err *err)
{
    struct etcd_status status = {0};
    struct etcd_list list = {0};
    bool done = false;
    *ret = false;
    if (!node->on || node->result->boot.unit_s < 0) /* no network yet: a request would only time out */
        return 0;
    if (etcd_get_status(scenario->client, node->values.ip, ASK_MS, &status, err) < 0 ||
        etcd_list_members(scenario->client, node->values.ip, ASK_MS, &list, err) < 0)
        return not_yet(err) ? 0 : -1;
    if (status.leader == 0)
        return 0;
    if (write_by(scenario, node, &done, err) < 0)
        return -1;
    if (done && scenario->result->quorum_s < 0) {
        scenario->result->quorum_s = nodes_elapsed(&scenario->nodes);
        nodes_step(&scenario->nodes, "quorum after %.1f s: %s acknowledges a write",
                   scenario->result->quorum_s, node->values.name);
    }
    *ret = done && is_whole(&scenario->nodes, &list, old);
    return 0;
}

/* Waits until all members take part in the same round. */
static int await_whole(struct scenario *scenario, uint64_t old, struct err *err)
{
    for (;;) {
        size_t part = 0;
        for (size_t i = 0; i < scenario->nodes.count; i++) {
            bool does = false;
            if (takes_part(scenario, &scenario->nodes.list[i], old, &does, err) < 0)
                return -1;
            part += does;
        }
        if (part == scenario->nodes.count)
            return 0;
        if (pass_time(scenario, ROUND_MS, err) < 0)
            return -1;
    }
}

static int await_reports(struct scenario *scenario, struct err *err)
{
    for (size_t i = 0; i < scenario->nodes.count; i++)
        while (!node_passed(&scenario->nodes.list[i]))
            if (write_while_waiting(scenario, err) < 0)
                return -1;
    return 0;
}

/* --- the scenario --- */

static int form_cluster(struct scenario *scenario, struct err *err)
{
    scenario->nodes.waiting = "the guests to form a cluster";
    if (await_whole(scenario, 0, err) < 0)
        return -1;
    scenario->result->formed_s = nodes_elapsed(&scenario->nodes);
    nodes_step(&scenario->nodes, "%zu members after %.1f s, each takes writes", scenario->nodes.count,
               scenario->result->formed_s);
    scenario->nodes.waiting = "the guests' reports";
    return await_reports(scenario, err);
}

static int find_leader(struct scenario *scenario, struct node **ret, uint64_t *ret_id, struct err *err)
{
    scenario->nodes.waiting = "a leader";
    for (;;) {
        for (size_t i = 0; i < scenario->nodes.count; i++) {
            struct node *node = &scenario->nodes.list[i];
            struct etcd_status status = {0};
            if (etcd_get_status(scenario->client, node->values.ip, ASK_MS, &status, err) < 0) {
                if (!not_yet(err))
                    return -1;
            } else if (status.leader == status.member) {
                *ret = node;
                *ret_id = status.member;
                return 0;
            }
        }
        if (pass_time(scenario, ROUND_MS, err) < 0)
            return -1;
    }
}

/* Losing the leader is the worst case: the others must elect a new one before they can write. */
static int cut_leader(struct scenario *scenario, struct node *leader, struct err *err)
{
    struct cluster_result *result = scenario->result;
    const struct node *through = NULL;
    snprintf(result->killed, sizeof result->killed, "%s", leader->values.name);
    node_cut(leader);
    double at = console_now();
    nodes_step(&scenario->nodes, "%s, the leader, loses its power", leader->values.name);
    scenario->nodes.waiting = "a write without the lost member";
    while (!through)
        if (nodes_pump(&scenario->nodes, PAUSE_MS, err) < 0 || write_once(scenario, &through, err) < 0)
            return -1;
    result->write_s = console_now() - at;
    nodes_step(&scenario->nodes, "writes go on %.1f s later: %s acknowledges one", result->write_s,
               through->values.name);
    unsigned enough = scenario->writer.acknowledged + WRITES_BETWEEN;
    while (scenario->writer.acknowledged < enough)
        if (write_while_waiting(scenario, err) < 0)
            return -1;
    return 0;
}

static int replace_node(struct scenario *scenario, struct node *node, uint64_t old, struct err *err)
{
    struct cluster_result *result = scenario->result;
    scenario->nodes.waiting = "the replacement to join";
    if (nodes_replace(&scenario->nodes, node, err) < 0)
        return -1;
    double at = console_now();
    nodes_step(&scenario->nodes, "%s is switched on again, as a new instance with a fresh disk",
               node->values.name);
    if (await_whole(scenario, old, err) < 0)
        return -1;
    result->joined_s = console_now() - at;
    nodes_step(&scenario->nodes, "%s joined %.1f s later as a new member: %zu members", node->values.name,
               result->joined_s, scenario->nodes.count);
    scenario->nodes.waiting = "the replacement's report";
    return await_reports(scenario, err);
}

static int check_writes(struct scenario *scenario, struct err *err)
{
    scenario->nodes.waiting = "the written keys";
    for (size_t i = 0; i < scenario->nodes.count; i++)
        if (writer_check(&scenario->writer, scenario->client, scenario->nodes.list[i].values.ip, RANGE_MS,
                         err) < 0) {
            if (not_yet(err))
                err->kind = ERR_TEST; /* it took part before */
            return err_wrap(err, "asked of %s", scenario->nodes.list[i].values.name);
        }
    nodes_step(&scenario->nodes, "all %u acknowledged writes are there, asked of each member",
               scenario->writer.acknowledged);
    return 0;
}

static int run_scenario(struct scenario *scenario, struct err *err)
{
    struct node *leader = NULL;
    uint64_t id = 0;
    if (form_cluster(scenario, err) < 0 || find_leader(scenario, &leader, &id, err) < 0 ||
        cut_leader(scenario, leader, err) < 0 || replace_node(scenario, leader, id, err) < 0)
        return -1;
    return check_writes(scenario, err);
}

static int check_options(const struct cluster_test_options *options, struct err *err)
{
    if (options->count < CLUSTER_GUESTS_MIN || options->count > CLUSTER_GUESTS_MAX)
        return err_set(err, ERR_USAGE, 0,
                       "a cluster that survives the loss of a member needs %d to %d guests",
                       CLUSTER_GUESTS_MIN, CLUSTER_GUESTS_MAX);
    if (options->timeout_s > BOOT_TIMEOUT_MAX_S)
        return err_set(err, ERR_USAGE, 0, "a test may take at most %d s", BOOT_TIMEOUT_MAX_S);
    return 0;
}

int cluster_test(const struct cluster_test_options *options, const struct run *run,
                 struct cluster_result *result, struct err *err)
{
    *result =
        (struct cluster_result){.quorum_s = -1, .formed_s = -1, .write_s = -1, .joined_s = -1, .total_s = -1};
    if (check_options(options, err) < 0)
        return -1;
    cleanup_scenario struct scenario *scenario = calloc(1, sizeof *scenario);
    if (!scenario)
        return err_oom(err);
    scenario->result = result;
    scenario->nodes.network = (struct network)NETWORK_EMPTY;
    if (writer_init(&scenario->writer, err) < 0 ||
        etcd_client_new(&options->keys, idle, scenario, &scenario->client, err) < 0 ||
        nodes_start(options, run, result, &scenario->nodes, err) < 0)
        return -1;
    int r = run_scenario(scenario, err);
    if (r < 0 && err->kind == ERR_TEST)
        nodes_linger(&scenario->nodes);
    result->total_s = nodes_elapsed(&scenario->nodes);
    result->passed = r == 0;
    return r;
}

void cluster_result_free(struct cluster_result *result)
{
    for (size_t i = 0; i < result->guest_count; i++)
        boot_result_free(&result->guests[i].boot);
    *result = (struct cluster_result){0};
}
