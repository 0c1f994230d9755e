#include "agent/watch.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "agent/backup/restore.h"
#include "agent/boot.h"
#include "agent/config/acquire.h"
#include "agent/config/configure.h"
#include "agent/config/readers.h"
#include "agent/os/tool.h"
#include "agent/rotate/rotate.h"

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

static bool same_names(const struct node_metadata *a, const struct node_metadata *b)
{
    if (a->api_name_count != b->api_name_count)
        return false;
    for (size_t i = 0; i < a->api_name_count; i++)
        if (strcmp(a->api_names[i], b->api_names[i]) != 0)
            return false;
    return true;
}

/* The metadata and its secret, if this node can follow them while it runs, and when it is its turn. */
static int fetch_metadata(const struct metadata_watch *watch, struct node_metadata *ret,
                          struct cluster_secret *ret_secret, struct rotation *ret_rotation,
                          enum rotation_step *ret_step, struct err *err)
{
    struct node_metadata before;
    bool wrong, found = false;
    if (acquire_last(watch->root, &before, &found, err) < 0 ||
        acquire_fetch(watch->peer, WATCH_FETCH_S, NULL, ret, ret_secret, &wrong, err) < 0 ||
        configure_check_secret(watch->root, ret, ret_secret, ret_rotation, ret_step, err) < 0)
        return -1;
    const char *fixed = found ? fixed_difference(&before, ret) : NULL;
    if (fixed)
        return err_set(err, ERR_VERIFY, 0,
                       "metadata: %s changed: a running node cannot follow that; the next boot applies it",
                       fixed);
    if (found && !(node_metadata_same_members(&before, ret) && same_names(&before, ret))) {
        log_printf(watch->log, "the cluster's members or API names changed: acting in %u s",
                   watch->stagger_s * (unsigned)ret->self);
        clock_sleep_ms((int64_t)watch->stagger_s * 1000 * (int64_t)ret->self);
    }
    return 0;
}

/* The node's boot has failed. Metadata that is good by now starts it again, and all the units that could not
 * start without it. */
static int start_again(const struct metadata_watch *watch, struct err *err)
{
    struct node_metadata now;
    cleanup_cluster_secret struct cluster_secret secret = {0};
    bool wrong;
    if (acquire_fetch(watch->peer, WATCH_FETCH_S, NULL, &now, &secret, &wrong, err) < 0 ||
        boot_check(watch->root, &now, &secret, err) < 0 ||
        tool_run(watch->root, tool_systemctl, NULL, err, "--no-block", "start", "multi-user.target", NULL) <
            0)
        return err_wrap(err, "this machine is not a node yet");
    return err_set(err, ERR_NETWORK, 0,
                   "this machine is not a node yet: the metadata is good, starting again");
}

/* A cluster that lives needs no restore. Noted at once: the attribute may stay for months, and must not cut
 * the cluster down after a reboot of all nodes. */
static int drop_restore(const struct metadata_watch *watch, const struct node_metadata *now, struct err *err)
{
    struct agent_http_request request = {
        .peer = &watch->health, .path = "/health", .timeout_ms = 1000U * WATCH_HEALTH_S};
    cleanup_buf struct buf body = BUF_INIT(AGENT_HTTP_BODY_MAX);
    struct err unused;
    int status = 0;
    bool over = false;
    if (restore_is_over(watch->root, now, &over, err) < 0)
        return -1;
    if (over || watch->health.port == 0 || agent_http_get(&request, &status, &body, &unused) < 0 ||
        status != 200)
        return 0;
    log_printf(watch->log, "cluster-restore %s: the cluster has a quorum, so this restore will not be done",
               now->restore);
    return restore_note_over(watch->root, now, err);
}

static int follow(struct metadata_watch *watch, struct err *err)
{
    struct node_metadata now;
    cleanup_cluster_secret struct cluster_secret secret = {0};
    struct rotation rotation;
    enum rotation_step step = ROTATION_STAY;
    unsigned changed = 0, pending = 0;
    if (fetch_metadata(watch, &now, &secret, &rotation, &step, err) < 0) {
        struct err unsent; /* a reload does not wait for good metadata */
        (void)!readers_retry(watch->root, &unsent);
        return -1;
    }
    if (step != ROTATION_STAY) /* its files are for a turn of their own */
        return rotate_run(&watch->rotate, &now, &secret, &rotation, step, &watch->soon, err);
    rotation_after(&rotation, &now, &secret, step, &rotation);
    if (readers_begin(watch->root, &pending, err) < 0 ||
        configure(watch->root, &now, &secret, &rotation, time(NULL), &changed, err) < 0 ||
        rotation_save(watch->root, &rotation, err) < 0)
        return -1;
    if (changed)
        log_line(watch->log, "configuration rewritten");
    if (readers_notify(watch->root, changed | pending, err) < 0 || drop_restore(watch, &now, err) < 0)
        return -1;
    /* last: if anything above fails, the next round starts from the old state */
    if (acquire_save(watch->root, &now, err) < 0)
        return -1;
    return rotate_run(&watch->rotate, &now, &secret, &rotation, step, &watch->soon, err);
}

int watch_once(struct metadata_watch *watch, struct err *err)
{
    cleanup_buf struct buf empty = BUF_INIT(1);
    bool booted = false;
    watch->soon = false;
    if (root_read(watch->root, BOOT_DONE, &empty, &booted, err) < 0)
        return -1;
    return booted ? follow(watch, err) : start_again(watch, err);
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
        if (acquire_wait(watch->peer, watch->soon ? WATCH_SOON_S : WATCH_WAIT_S, &err) < 0 ||
            clock_now_ms() - began < 1000)
            clock_sleep_ms(INT64_C(1000) * WATCH_STAGGER_S);
    }
}
