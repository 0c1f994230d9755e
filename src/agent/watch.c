#include "agent/watch.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "agent/config/acquire.h"
#include "agent/os/child.h"
#include "agent/config/configure.h"

enum { SYSTEMCTL_MS = 120000, SYSTEMCTL_OUTPUT_MAX = 4096 };

/* The first difference that a running node cannot follow, or NULL. */
static const char *fixed_difference(const struct node_metadata *a, const struct node_metadata *b)
{
    if (strcmp(a->name, b->name) != 0)
        return "the instance's name";
    if (strcmp(a->ip, b->ip) != 0)
        return "the instance's address";
    if (strcmp(a->cluster_name, b->cluster_name) != 0)
        return "cluster-name";
    if (strcmp(a->pod_cidr, b->pod_cidr) != 0)
        return "cluster-pod-cidr";
    if (strcmp(a->service_cidr, b->service_cidr) != 0)
        return "cluster-service-cidr";
    if (strcmp(a->domain, b->domain) != 0)
        return "cluster-domain";
    return a->role != b->role ? "cluster-role" : NULL;
}

static bool same_members(const struct node_metadata *a, const struct node_metadata *b)
{
    if (a->node_count != b->node_count || a->api_name_count != b->api_name_count)
        return false;
    for (size_t i = 0; i < a->node_count; i++)
        if (strcmp(a->nodes[i].name, b->nodes[i].name) != 0 || strcmp(a->nodes[i].ip, b->nodes[i].ip) != 0)
            return false;
    for (size_t i = 0; i < a->api_name_count; i++)
        if (strcmp(a->api_names[i], b->api_names[i]) != 0)
            return false;
    return true;
}

static int systemctl(const struct metadata_watch *watch, const char *verb, const char *unit, struct err *err)
{
    const char *argv[] = {"/usr/bin/systemctl", "--no-block", verb, unit, NULL};
    struct child child = {.argv = argv, .timeout_ms = SYSTEMCTL_MS};
    cleanup_buf struct buf out = BUF_INIT(SYSTEMCTL_OUTPUT_MAX);
    int code = 0;
    if (!watch->act)
        return 0;
    if (!child_there(watch->root, argv[0]))
        argv[0] = "/bin/systemctl";
    if (child_run(watch->root, &child, &out, &code, err) < 0)
        return -1;
    return code == 0 ? 0 : err_set(err, ERR_IO, 0, "systemctl %s %s ended with %d", verb, unit, code);
}

/* Not listed: static pods, which kubelet restarts when their manifests change, and programs that read their
 * certificates at each handshake. */
static int restart_readers(const struct metadata_watch *watch, unsigned changed, struct err *err)
{
    static const struct {
        unsigned bits;
        const char *verb, *unit;
    } all[] = {
        {CONFIGURED_ETCD_KEYS, "reload", "etcd.service"},
        {CONFIGURED_KUBELET, "try-restart", "kubelet.service"},
        {CONFIGURED_KUBE_PROXY, "try-restart", "kube-proxy.service"},
        {CONFIGURED_NETWORK, "restart", "bake-network.service"},
        {CONFIGURED_NETWORK, "try-restart", "bake-roster.service"},
        {CONFIGURED_ADDONS, "try-restart", "bake-addons.service"},
    };
    int result = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if ((changed & all[i].bits) && systemctl(watch, all[i].verb, all[i].unit, err) < 0)
            result = -1;
    return result;
}

int watch_once(struct metadata_watch *watch, struct err *err)
{
    struct node_metadata before, now;
    cleanup_cluster_secret struct cluster_secret secret = {0};
    bool wrong, found = false;
    if (acquire_last(watch->root, &before, &found, err) < 0 ||
        acquire_fetch(watch->peer, WATCH_FETCH_S, NULL, &now, &secret, &wrong, err) < 0)
        return -1;
    if (configure_check_secret(watch->root, &now, &secret, err) < 0)
        return -1;
    if (found) {
        const char *fixed = fixed_difference(&before, &now);
        if (fixed)
            return err_set(
                err, ERR_VERIFY, 0,
                "metadata: %s changed: a running node cannot follow that; the next boot applies it", fixed);
        if (!same_members(&before, &now)) {
            log_printf(watch->log, "the cluster's members or API names changed: acting in %u s",
                       watch->stagger_s * (unsigned)now.self);
            clock_sleep_ms((int64_t)watch->stagger_s * 1000 * (int64_t)now.self);
        }
    }
    unsigned changed = 0;
    if (configure(watch->root, &now, &secret, time(NULL), &changed, err) < 0)
        return -1;
    if (changed)
        log_printf(watch->log, "configuration rewritten");
    if (restart_readers(watch, changed, err) < 0)
        return -1;
    /* last: if anything above fails, the next round starts from the old state */
    return acquire_save(watch->root, &now, err);
}

/* The same problem every minute is logged once. */
static void log_once(struct metadata_watch *watch, const char *text)
{
    if (strncmp(watch->last_problem, text, sizeof watch->last_problem - 1) != 0)
        log_line(watch->log, text[0] ? text : "the problem is gone");
    snprintf(watch->last_problem, sizeof watch->last_problem, "%s", text);
}

void watch_run(struct metadata_watch *watch)
{
    for (;;) {
        struct err err = {0};
        int64_t began = clock_now_ms();
        log_once(watch, watch_once(watch, &err) < 0 ? err.text : "");
        /* not a busy loop when the server is down or answers at once */
        if (acquire_wait(watch->peer, WATCH_WAIT_S, &err) < 0 || clock_now_ms() - began < 1000)
            clock_sleep_ms(INT64_C(1000) * WATCH_STAGGER_S);
    }
}
