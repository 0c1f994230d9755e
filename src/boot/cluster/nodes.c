#include "boot/cluster/nodes.h"

#include <poll.h>
#include <stdarg.h>
#include <string.h>

#include "io/file.h"

enum { DEFAULT_CPUS = 1, END_WAIT_MS = 5000, LINGER_MS = 1000, STEP_MS = 100, METADATA_PORT = 80 };

double nodes_elapsed(const struct nodes *nodes)
{
    return console_now() - nodes->started;
}

void nodes_step(const struct nodes *nodes, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (nodes->options->step)
        nodes->options->step(nodes->options->ctx, text);
}

bool node_passed(const struct node *node)
{
    return node->on && node->console->verdict == VERDICT_PASS;
}

static void take_line(void *ctx, double seconds, const char *line)
{
    const struct node *node = ctx;
    const struct cluster_test_options *options = node->nodes->options;
    (void)seconds;
    if (options->line)
        options->line(options->ctx, node->values.name, line);
}

/* --- one guest --- */

static int attach_console(struct nodes *nodes, struct node *node, struct err *err)
{
    const struct cluster_test_options *options = nodes->options;
    struct cluster_result *result = nodes->result;
    node->boots++;
    if (options->serial &&
        options->serial(options->ctx, node->values.name, node->boots, &node->serial_fd, err) < 0)
        return -1;
    node->result = &result->guests[result->guest_count++];
    *node->result = (struct cluster_guest_result){
        .name = node->values.name, .replacement = node->boots > 1, .started_s = nodes_elapsed(nodes)};
    const struct console_options heard = {node->serial_fd, take_line, node};
    console_begin(node->console, &heard, &node->result->boot);
    return 0;
}

static int power_on(struct nodes *nodes, struct node *node, struct err *err)
{
    const struct cluster_test_options *options = nodes->options;
    cleanup_close int tap = -1;
    if (network_tap(&tap, err) < 0)
        return -1;
    const struct qemu_spec spec = {.disk_fd = options->disk_fd,
                                   .efi = options->efi,
                                   .cpus = options->cpus ? options->cpus : DEFAULT_CPUS,
                                   .memory_mib = options->memory_mib,
                                   .tap_fd = tap,
                                   .mac = node->values.mac};
    if (attach_console(nodes, node, err) < 0 || guest_start(&spec, &node->guest, err) < 0)
        return -1;
    node->on = true;
    return 0;
}

void node_cut(struct node *node)
{
    guest_cut(&node->guest);
    if (node->result) {
        console_keep_tail(node->console);
        node->result->boot.passed = node->console->verdict == VERDICT_PASS;
        node->result->boot.total_s = console_elapsed(node->console);
    }
    node->result = NULL;
    node->on = node->takes_writes = false;
    cleanup_close_fn(&node->serial_fd);
    node->serial_fd = -1;
}

static int explain_power_off(struct node *node, struct err *err)
{
    int status = -1;
    if (proc_wait(&node->guest.proc, END_WAIT_MS, &status, err) < 0)
        return -1;
    if (status > 0)
        return err_set(err, ERR_IO, 0, "%s: QEMU ended with status %d%s%s", node->values.name, status,
                       node->console->qemu_said[0] ? ": " : "", node->console->qemu_said);
    return err_set(err, ERR_TEST, 0, "%s powered off after %.0f s", node->values.name,
                   console_elapsed(node->console));
}

static int read_console(struct nodes *nodes, struct node *node, struct err *err)
{
    bool end = false, before = node_passed(node);
    if (console_step(node->console, node->guest.serial_fd, 0, &end, err) < 0)
        return err_wrap(err, "%s", node->values.name);
    if (!before && node_passed(node))
        nodes_step(nodes, "%s reports PASS after %.1f s", node->values.name, node->result->boot.report_s);
    if (console_conclude(node->console, err) < 0)
        return err_wrap(err, "%s", node->values.name);
    return end ? explain_power_off(node, err) : 0;
}

/* --- all of them --- */

static int check_time(const struct nodes *nodes, struct err *err)
{
    unsigned limit = nodes->options->timeout_s ? nodes->options->timeout_s : CLUSTER_TIMEOUT_S;
    char silent[CLUSTER_GUESTS_MAX * (ETCD_NAME_CAP + 2)] = "";
    size_t len = 0;
    if (nodes_elapsed(nodes) <= limit)
        return 0;
    for (size_t i = 0; i < nodes->count; i++)
        if (nodes->list[i].on && !node_passed(&nodes->list[i]) && len < sizeof silent)
            len += (size_t)snprintf(silent + len, sizeof silent - len, "%s%s", len > 0 ? ", " : "",
                                    nodes->list[i].values.name);
    return err_set(err, ERR_TEST, 0,
                   "after %u s still waiting for %s%s%s: look at the consoles, or allow more time", limit,
                   nodes->waiting, len > 0 ? "; no report from " : "", silent);
}

int nodes_pump(struct nodes *nodes, int timeout_ms, struct err *err)
{
    struct pollfd fds[CLUSTER_GUESTS_MAX];
    nfds_t count = 0;
    for (size_t i = 0; i < nodes->count; i++)
        if (nodes->list[i].on)
            fds[count++] = (struct pollfd){.fd = nodes->list[i].guest.serial_fd, .events = POLLIN};
    if (poll(fds, count, timeout_ms) < 0 && errno != EINTR)
        return err_sys(err, errno, "poll");
    for (size_t i = 0; i < nodes->count; i++)
        if (nodes->list[i].on && read_console(nodes, &nodes->list[i], err) < 0)
            return -1;
    if (network_watch(&nodes->network, err) < 0 || run_check(nodes->run, err) < 0)
        return -1;
    return check_time(nodes, err);
}

void nodes_linger(struct nodes *nodes)
{
    double until = console_now() + LINGER_MS / 1e3;
    while (console_now() < until)
        for (size_t i = 0; i < nodes->count; i++) {
            struct node *node = &nodes->list[i];
            struct err ignored;
            bool end = false;
            if (node->on && console_step(node->console, node->guest.serial_fd, STEP_MS, &end, &ignored) < 0)
                return;
            node->on = node->on && !end;
        }
}

static int start_server(struct nodes *nodes, struct err *err)
{
    struct metadata_server_instance values[CLUSTER_GUESTS_MAX];
    for (size_t i = 0; i < nodes->count; i++)
        values[i] = nodes->list[i].values;
    const struct metadata_server_options options = {.instances = values,
                                                    .instance_count = nodes->count,
                                                    .by_address = true,
                                                    .listen = METADATA_IP,
                                                    .port = METADATA_PORT};
    if (nodes->server)
        return metadata_server_set(nodes->server, values, nodes->count, err);
    return metadata_server_start(&options, nodes->run, &nodes->server, err);
}

static int start_network(struct nodes *nodes, struct err *err)
{
    struct network_guest guests[CLUSTER_GUESTS_MAX];
    for (size_t i = 0; i < nodes->count; i++)
        guests[i] = (struct network_guest){nodes->list[i].values.name, nodes->list[i].values.ip,
                                           nodes->list[i].values.mac};
    return network_start(guests, nodes->count, nodes->run, &nodes->network, err);
}

int nodes_start(const struct cluster_test_options *options, const struct run *run,
                struct cluster_result *result, struct nodes *ret, struct err *err)
{
    *ret = (struct nodes){.options = options,
                          .run = run,
                          .result = result,
                          .started = console_now(),
                          .waiting = "the guests",
                          .network = NETWORK_EMPTY,
                          .count = options->count};
    for (size_t i = 0; i < ret->count; i++) {
        struct node *node = &ret->list[i];
        *node =
            (struct node){.nodes = ret, .values = options->guests[i], .guest = GUEST_EMPTY, .serial_fd = -1};
        node->console = calloc(1, sizeof *node->console);
        if (!node->console)
            return err_oom(err);
    }
    /* first the network: the server listens on one of its addresses */
    if (start_network(ret, err) < 0 || start_server(ret, err) < 0)
        return -1;
    ret->started = console_now();
    for (size_t i = 0; i < ret->count; i++)
        if (power_on(ret, &ret->list[i], err) < 0)
            return err_wrap(err, "%s", ret->list[i].values.name);
    return 0;
}

int nodes_replace(struct nodes *nodes, struct node *node, struct err *err)
{
    node->values.id += METADATA_INSTANCES_MAX;
    if (start_server(nodes, err) < 0 || power_on(nodes, node, err) < 0)
        return err_wrap(err, "%s, the replacement", node->values.name);
    return 0;
}

void nodes_stop(struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++) {
        node_cut(&nodes->list[i]);
        free(nodes->list[i].console);
    }
    metadata_server_stop(nodes->server);
    network_stop(&nodes->network);
    *nodes = (struct nodes){.network = NETWORK_EMPTY};
}
