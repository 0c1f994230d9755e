#include "boot/cluster/cluster.h"

#include <string.h>

#include "boot/cluster/nodes.h"
#include "boot/cluster/writer.h"

/* Emulated processors take their time for a handshake. ROUND_MS: what is asked of all members is asked that often. */
enum {
    ASK_MS = 4000,
    WRITE_MS = 1000,
    RANGE_MS = 30000,
    ROUND_MS = 500,
    WRITE_EVERY_MS = 200,
    PAUSE_MS = 20,
    WRITES_BETWEEN = 10
};

struct story {
    struct nodes nodes;
    struct etcd_writer writer;
    struct etcd_client *client;
    size_t turn; /* whose it is to take a write */
    double next_write;
    struct cluster_result *result;
};

static void story_free(struct story **story)
{
    if (!*story)
        return;
    etcd_client_free((*story)->client);
    nodes_stop(&(*story)->nodes);
    writer_free(&(*story)->writer);
    free(*story);
}
#define cleanup_story cleanup(story_free)

static int idle(void *ctx, struct err *err)
{
    struct story *story = ctx;
    return nodes_pump(&story->nodes, 0, err);
}

/* An answer that may yet come: none, or a refusal. */
static bool not_yet(const struct err *err)
{
    return err->kind == ERR_NETWORK || err->kind == ERR_REMOTE;
}

/* --- writes ------------------------------------------------------------------------------------------------------- */

static int write_by(struct story *story, struct node *node, bool *ret_done, struct err *err)
{
    int r = writer_write(&story->writer, story->client, node->values.ip, WRITE_MS, ret_done, err);
    story->result->attempted = story->writer.attempted;
    story->result->acknowledged = story->writer.acknowledged;
    node->takes_writes = node->takes_writes || *ret_done;
    if (r == 0 && !*ret_done)
        run_note(story->nodes.run, "writer", "%s", err->text);
    return r;
}

/* One write by way of the next member that has taken one before. There is one: what wrote first, or outlived the cut. */
static int write_once(struct story *story, const struct node **ret_through, struct err *err)
{
    struct nodes *nodes = &story->nodes;
    bool done = false;
    do
        story->turn = (story->turn + 1) % nodes->count;
    while (!nodes->list[story->turn].takes_writes);
    struct node *node = &nodes->list[story->turn];
    int r = write_by(story, node, &done, err);
    if (ret_through)
        *ret_through = done ? node : NULL;
    return r;
}

/* Goes on writing, at a steady pace, while something else is waited for. */
static int tick(struct story *story, struct err *err)
{
    if (nodes_pump(&story->nodes, ROUND_MS / 5, err) < 0)
        return -1;
    if (story->writer.acknowledged == 0 || console_now() < story->next_write)
        return 0;
    story->next_write = console_now() + WRITE_EVERY_MS / 1e3;
    return write_once(story, NULL, err);
}

static int pass_time(struct story *story, unsigned ms, struct err *err)
{
    double until = console_now() + ms / 1e3;
    while (console_now() < until)
        if (tick(story, err) < 0)
            return -1;
    return 0;
}

/* --- members ------------------------------------------------------------------------------------------------------ */

static const struct etcd_member_seen *find(const struct etcd_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->members[i].name, name) == 0)
            return &list->members[i];
    return NULL;
}

/* All guests and nobody else; not OLD, which was the id of one that is gone. */
static bool is_whole(const struct nodes *nodes, const struct etcd_list *list, uint64_t old)
{
    if (list->count != nodes->count)
        return false;
    for (size_t i = 0; i < nodes->count; i++) {
        const struct etcd_member_seen *member = find(list, nodes->list[i].values.name);
        if (!member || member->id == old)
            return false;
    }
    return true;
}

/* Whether that member takes part: it lists them all, knows the leader, and takes a write. */
static int takes_part(struct story *story, struct node *node, uint64_t old, bool *ret, struct err *err)
{
    struct etcd_status status = {0};
    struct etcd_list list = {0};
    bool done = false;
    *ret = false;
    if (!node->on || node->result->boot.unit_s < 0) /* it has no network yet: a question would only wait */
        return 0;
    if (etcd_status_ask(story->client, node->values.ip, ASK_MS, &status, err) < 0 ||
        etcd_list_ask(story->client, node->values.ip, ASK_MS, &list, err) < 0)
        return not_yet(err) ? 0 : -1;
    if (status.leader == 0)
        return 0;
    if (write_by(story, node, &done, err) < 0)
        return -1;
    if (done && story->result->quorum_s < 0) {
        story->result->quorum_s = nodes_elapsed(&story->nodes);
        nodes_step(&story->nodes, "quorum after %.1f s: %s acknowledges a write", story->result->quorum_s,
                   node->values.name);
    }
    *ret = done && is_whole(&story->nodes, &list, old);
    return 0;
}

/* Until all of them do, in one round. */
static int await_whole(struct story *story, uint64_t old, struct err *err)
{
    for (;;) {
        size_t part = 0;
        for (size_t i = 0; i < story->nodes.count; i++) {
            bool does = false;
            if (takes_part(story, &story->nodes.list[i], old, &does, err) < 0)
                return -1;
            part += does;
        }
        if (part == story->nodes.count)
            return 0;
        if (pass_time(story, ROUND_MS, err) < 0)
            return -1;
    }
}

static int await_reports(struct story *story, struct err *err)
{
    for (size_t i = 0; i < story->nodes.count; i++)
        while (!node_passed(&story->nodes.list[i]))
            if (tick(story, err) < 0)
                return -1;
    return 0;
}

/* --- the story ---------------------------------------------------------------------------------------------------- */

static int form(struct story *story, struct err *err)
{
    story->nodes.waiting = "the guests to form a cluster";
    if (await_whole(story, 0, err) < 0)
        return -1;
    story->result->formed_s = nodes_elapsed(&story->nodes);
    nodes_step(&story->nodes, "%zu members after %.1f s, each takes writes", story->nodes.count,
               story->result->formed_s);
    story->nodes.waiting = "the guests' reports";
    return await_reports(story, err);
}

static int find_leader(struct story *story, struct node **ret, uint64_t *ret_id, struct err *err)
{
    story->nodes.waiting = "a leader";
    for (;;) {
        for (size_t i = 0; i < story->nodes.count; i++) {
            struct node *node = &story->nodes.list[i];
            struct etcd_status status = {0};
            if (etcd_status_ask(story->client, node->values.ip, ASK_MS, &status, err) < 0) {
                if (!not_yet(err))
                    return -1;
            } else if (status.leader == status.member) {
                *ret = node;
                *ret_id = status.member;
                return 0;
            }
        }
        if (pass_time(story, ROUND_MS, err) < 0)
            return -1;
    }
}

/* The leader is the worst loss: the others must elect before they can write. */
static int cut(struct story *story, struct node *leader, struct err *err)
{
    struct cluster_result *result = story->result;
    const struct node *through = NULL;
    snprintf(result->killed, sizeof result->killed, "%s", leader->values.name);
    node_cut(leader);
    double at = console_now();
    nodes_step(&story->nodes, "%s, the leader, loses its power", leader->values.name);
    story->nodes.waiting = "a write without the one that lost its power";
    while (!through)
        if (nodes_pump(&story->nodes, PAUSE_MS, err) < 0 || write_once(story, &through, err) < 0)
            return -1;
    result->write_s = console_now() - at;
    nodes_step(&story->nodes, "writes go on %.1f s later: %s acknowledges one", result->write_s,
               through->values.name);
    unsigned enough = story->writer.acknowledged + WRITES_BETWEEN;
    while (story->writer.acknowledged < enough)
        if (tick(story, err) < 0)
            return -1;
    return 0;
}

static int replace(struct story *story, struct node *node, uint64_t old, struct err *err)
{
    struct cluster_result *result = story->result;
    story->nodes.waiting = "the replacement to join";
    if (nodes_replace(&story->nodes, node, err) < 0)
        return -1;
    double at = console_now();
    nodes_step(&story->nodes, "%s is switched on again, as a new instance with a fresh disk",
               node->values.name);
    if (await_whole(story, old, err) < 0)
        return -1;
    result->joined_s = console_now() - at;
    nodes_step(&story->nodes, "%s joined %.1f s later as a new member: %zu members", node->values.name,
               result->joined_s, story->nodes.count);
    story->nodes.waiting = "the replacement's report";
    return await_reports(story, err);
}

static int check_writes(struct story *story, struct err *err)
{
    story->nodes.waiting = "the written keys";
    for (size_t i = 0; i < story->nodes.count; i++)
        if (writer_check(&story->writer, story->client, story->nodes.list[i].values.ip, RANGE_MS, err) < 0) {
            if (not_yet(err))
                err->kind = ERR_TEST; /* it took part a moment ago */
            return err_wrap(err, "asked of %s", story->nodes.list[i].values.name);
        }
    nodes_step(&story->nodes, "all %u acknowledged writes are there, asked of each member",
               story->writer.acknowledged);
    return 0;
}

static int run_story(struct story *story, struct err *err)
{
    struct node *leader = NULL;
    uint64_t id = 0;
    if (form(story, err) < 0 || find_leader(story, &leader, &id, err) < 0 || cut(story, leader, err) < 0 ||
        replace(story, leader, id, err) < 0)
        return -1;
    return check_writes(story, err);
}

static int check_options(const struct cluster_test_options *options, struct err *err)
{
    if (options->count < CLUSTER_GUESTS_MIN || options->count > CLUSTER_GUESTS_MAX)
        return err_set(err, ERR_USAGE, 0, "a cluster that outlives the loss of one has %d to %d guests here",
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
    cleanup_story struct story *story = calloc(1, sizeof *story);
    if (!story)
        return err_oom(err);
    story->result = result;
    story->nodes.network = (struct network)NETWORK_EMPTY;
    if (writer_init(&story->writer, err) < 0 ||
        etcd_client_new(&options->keys, idle, story, &story->client, err) < 0 ||
        nodes_start(options, run, result, &story->nodes, err) < 0)
        return -1;
    int r = run_story(story, err);
    if (r < 0 && err->kind == ERR_TEST)
        nodes_linger(&story->nodes);
    result->total_s = nodes_elapsed(&story->nodes);
    result->passed = r == 0;
    return r;
}

void cluster_result_free(struct cluster_result *result)
{
    for (size_t i = 0; i < result->guest_count; i++)
        boot_result_free(&result->guests[i].boot);
    *result = (struct cluster_result){0};
}
