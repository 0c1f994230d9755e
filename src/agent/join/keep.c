#include "agent/join/keep.h"

#include <string.h>

#include "agent/config/acquire.h"
#include "agent/join/join.h"
#include "base/clock.h"

/* The same line is logged once. */
static void log_once(struct keep *keep, const char *line)
{
    if (strcmp(keep->last_line, line) == 0)
        return;
    snprintf(keep->last_line, sizeof keep->last_line, "%s", line);
    if (line[0])
        log_line(keep->log, line);
}

/* --- this node's vote --- */

/* Whether this member is one of these, and a learner; ID gets its id. */
static bool is_learner(const struct etcd_members *members, const char *name, char id[VALUE_ID_CAP])
{
    for (size_t i = 0; i < members->count; i++)
        if (members->members[i].is_learner && strcmp(members->members[i].name, name) == 0) {
            memcpy(id, members->members[i].id, VALUE_ID_CAP);
            return true;
        }
    return false;
}

/* After this node's etcd has refused, which ERR says. */
static int ask_for_vote(struct keep *keep, const struct node_metadata *m, const struct tls_files *files,
                        struct err *err)
{
    for (size_t i = 0; i < m->node_count; i++) {
        struct etcd_api api = etcd_api_at(files, m->nodes[i].ip, ETCD_API_PORT);
        struct etcd_members members;
        struct err unused;
        char id[VALUE_ID_CAP];
        if (i == m->self || etcd_members_ask(&api, &members, &unused) < 0)
            continue;
        if (!is_learner(&members, m->name, id))
            return -1;
        keep->learner = true;
        if (etcd_member_promote(&api, id, err) < 0)
            return err_wrap(err, "this member is a learner");
        log_once(keep, "this member has caught up: it has a vote");
        return 0;
    }
    return -1;
}

/* --- this node's list --- */

static int publish(struct keep *keep, const struct etcd_api *api, const struct node_metadata *m,
                   struct err *err)
{
    bool alive = false;
    if (keep->lease.id[0] && etcd_lease_keep(api, &keep->lease, &alive, err) < 0)
        return -1;
    if (!alive) {
        keep->published = (struct node_metadata){0};
        if (etcd_lease_grant(api, LISTS_TTL_S, &keep->lease, err) < 0)
            return -1;
    }
    if (node_metadata_same_members(&keep->published, m))
        return 0;
    if (lists_publish(api, m, &keep->lease, err) < 0)
        return -1;
    keep->published = *m;
    return 0;
}

/* --- other members --- */

/* Asks those that may not live, but only if one of them might have to go. */
static int find_removal(struct agree *agree)
{
    for (size_t i = 0; agree_removal(agree) != AGREE_NOBODY && i < agree->members.count; i++)
        if (agree->views[i].list[0] == '\0')
            agree->views[i].answers = lists_probe(&agree->members.members[i]);
    return agree_removal(agree);
}

static int remove_one(struct keep *keep, const struct etcd_api *api, const struct node_metadata *m,
                      struct agree *agree, struct err *err)
{
    struct etcd_lease lock;
    if (lists_lock(api, m, &lock, err) < 0)
        return -1;
    int gone = AGREE_NOBODY, status = lists_read(api, agree, err);
    if (status == 0 && (gone = find_removal(agree)) != AGREE_NOBODY)
        status = etcd_member_remove(api, agree->members.members[gone].id, err);
    lists_unlock(api, &lock);
    if (gone == AGREE_NOBODY)
        return status;
    const struct etcd_member *member = &agree->members.members[gone];
    const char *name = member->name[0] ? member->name : "that never started";
    if (status < 0)
        return err_wrap(err, "remove the member %s (%s)", name, member->peer_url);
    log_printf(keep->log,
               "the member %s (%s) is removed: it is not in cluster-nodes any more, and does not answer",
               name, member->peer_url);
    return 0;
}

static void log_unlisted(struct keep *keep, const struct agree *agree)
{
    char line[ERR_TEXT_MAX] = "";
    size_t len = 0;
    for (size_t i = 0; i < agree->members.count; i++)
        if (agree_unlists(agree, i)) {
            int n = snprintf(line + len, sizeof line - len, "%s%s", len > 0 ? ", " : "",
                             agree->members.members[i].name);
            len += n > 0 && (size_t)n < sizeof line - len ? (size_t)n : 0;
        }
    if (len > 0)
        snprintf(line + len, sizeof line - len,
                 ": not in cluster-nodes any more, and members until they are off: delete the instances");
    log_once(keep, line);
}

int keep_once(struct keep *keep, const struct node_metadata *metadata, struct err *err)
{
    const struct tls_files files = etcd_admin_files(keep->root);
    struct etcd_api api = etcd_api_at(&files, metadata->ip, ETCD_API_PORT);
    cleanup_free struct agree *agree = calloc(1, sizeof *agree);
    if (!agree)
        return err_oom(err);
    keep->learner = false;
    if (lists_read(&api, agree, err) < 0)
        return err->kind == ERR_REMOTE ? ask_for_vote(keep, metadata, &files, err) : -1;
    if (publish(keep, &api, metadata, err) < 0)
        return -1;
    if (find_removal(agree) != AGREE_NOBODY)
        return remove_one(keep, &api, metadata, agree, err);
    log_unlisted(keep, agree);
    return 0;
}

void keep_run(const struct root *root, const struct log *log)
{
    struct keep keep = {.root = root, .log = log};
    for (;;) {
        struct node_metadata metadata;
        struct err err = {0};
        bool found = false;
        if (acquire_last(root, &metadata, &found, &err) < 0 ||
            (found && keep_once(&keep, &metadata, &err) < 0))
            log_once(&keep, err.text);
        clock_sleep_ms(keep.learner ? KEEP_LEARNER_PAUSE_MS : KEEP_PAUSE_MS);
    }
}
