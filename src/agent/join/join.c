#include "agent/join/join.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sodium.h>

#include "base/clock.h"

#include "agent/backup/restore.h"
#include "agent/config/acquire.h"
#include "agent/join/decide.h"
#include "agent/join/last_disk.h"
#include "agent/join/replace.h"

enum { ENV_MAX = 4096, TOKEN_SIZE = 8, RECENT_LINES = 4 };

struct join {
    struct replace replace;
    struct peers peers;
    struct member_state disk;
    struct node_metadata metadata; /* once it was read again */
    const struct join_options *options;
    const struct log *log;
    int64_t deadline;                        /* of clock_now_ms(); 0: none */
    char recent[RECENT_LINES][ERR_TEXT_MAX]; /* the last lines logged */
    size_t recent_at;
    bool prepared; /* a snapshot is there to start from */
};

int join_options_read(const struct root *root, struct join_options *ret, struct err *err)
{
    *ret = (struct join_options){
        .roster_port = PEERS_PORT, .client_port = ETCD_API_PORT, .peer_port = JOIN_PEER_PORT};
    return peers_read_key(root, &ret->key, err);
}

/* Skips a line that was logged recently: two reasons to wait may alternate every second, for days. */
static void log_once(struct join *join, const char *line)
{
    for (size_t i = 0; i < RECENT_LINES; i++)
        if (strcmp(join->recent[i], line) == 0)
            return;
    snprintf(join->recent[join->recent_at], sizeof join->recent[0], "%s", line);
    join->recent_at = (join->recent_at + 1) % RECENT_LINES;
    log_line(join->log, line);
}

/* cluster-nodes may have been corrected meanwhile. What a list decides, it decides within one round. */
static void read_again(struct join *join)
{
    const struct node_metadata *now = join->replace.metadata;
    struct node_metadata fresh;
    struct err unread;
    bool found = false;
    if (acquire_last(join->replace.root, &fresh, &found, &unread) == 0 && found &&
        strcmp(fresh.name, now->name) == 0 && strcmp(fresh.ip, now->ip) == 0) {
        join->metadata = fresh;
        join->replace.metadata = join->peers.metadata = &join->metadata;
    }
}

/* Pauses before a retry; -1 at the time limit. */
static int pause_or_stop(struct join *join, const char *why, struct err *err)
{
    int64_t left = join->deadline == 0 ? JOIN_PAUSE_MS : join->deadline - clock_now_ms();
    if (left <= 0)
        return err_set(err, ERR_NETWORK, 0, "it took too long: %.1900s", why);
    clock_sleep_ms(left < JOIN_PAUSE_MS ? left : JOIN_PAUSE_MS);
    read_again(join);
    return 0;
}

static int write_env(const struct join *join, const struct buf *cluster, const char *state, const char *token,
                     struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(ENV_MAX);
    buf_printf(&text, "ETCD_INITIAL_CLUSTER=%s\nETCD_INITIAL_CLUSTER_STATE=%s\n",
               cluster->data ? cluster->data : "", state);
    if (token)
        buf_printf(&text, "ETCD_INITIAL_CLUSTER_TOKEN=%s\n", token);
    if (buf_check(cluster, JOIN_ENV, err) < 0 || buf_check(&text, JOIN_ENV, err) < 0)
        return -1;
    return root_write(join->replace.root, JOIN_ENV, text.data, text.len, 0600, err);
}

static void add_member(struct buf *cluster, const char *name, const char *ip, uint16_t port)
{
    buf_printf(cluster, "%s%s=https://%s:%u", cluster->len > 0 ? "," : "", name, ip, (unsigned)port);
}

/* With data, etcd ignores these variables; they only need to be well-formed. ALONE: it drops all other
 * members. */
static int start_on_data(const struct join *join, bool alone, struct err *err)
{
    const struct node_metadata *m = join->replace.metadata;
    cleanup_buf struct buf cluster = BUF_INIT(ENV_MAX);
    for (size_t i = 0; i < m->node_count; i++)
        add_member(&cluster, m->nodes[i].name, m->nodes[i].ip, join->options->peer_port);
    return write_env(join, &cluster, alone ? "existing\nETCD_FORCE_NEW_CLUSTER=true" : "existing", NULL, err);
}

/* Members and token come from the roster alone, which is the same on all disks even if cluster-nodes has
 * changed. */
static int start_new(const struct join *join, struct err *err)
{
    const struct member_roster *roster = &join->disk.roster;
    const struct node_metadata *m = join->replace.metadata;
    cleanup_buf struct buf cluster = BUF_INIT(ENV_MAX);
    cleanup_buf struct buf text = BUF_INIT(ROSTER_TEXT_MAX);
    unsigned char digest[crypto_generichash_BYTES];
    char hex[2 * TOKEN_SIZE + 1], token[VALUE_NAME_CAP + sizeof hex];
    if (!join->disk.has_id || !roster_holds(roster, m->name, m->ip, join->disk.id))
        return err_set(
            err, ERR_VERIFY, 0,
            "%s does not hold this disk as %s %s: if it was another node's, or its name or address has "
            "changed, it needs an empty disk",
            MEMBER_STATE_ROSTER, m->name, m->ip);
    for (size_t i = 0; i < roster->count; i++)
        add_member(&cluster, roster->entries[i].name, roster->entries[i].ip, join->options->peer_port);
    roster_write(roster, &text);
    if (buf_check(&text, "the roster", err) < 0)
        return -1;
    crypto_generichash(digest, sizeof digest, (const unsigned char *)text.data, text.len, NULL, 0);
    snprintf(token, sizeof token, "%s-%s", m->cluster_name,
             sodium_bin2hex(hex, sizeof hex, digest, TOKEN_SIZE));
    return write_env(join, &cluster, "new", token, err);
}

static int start_replacement(const struct join *join, const struct etcd_members *members, struct err *err)
{
    cleanup_buf struct buf cluster = BUF_INIT(ENV_MAX);
    char url[ETCD_URL_CAP];
    bool there = false;
    replace_url(&join->replace, url);
    for (size_t i = 0; i < members->count; i++) {
        const struct etcd_member *member = &members->members[i];
        bool mine = strcmp(member->peer_url, url) == 0;
        there = there || mine;
        /* etcd identifies the others by URL; a member that has not started has no name yet, and any name
         * works */
        buf_printf(&cluster, "%s%s%s=%s", i > 0 ? "," : "",
                   mine              ? join->replace.metadata->name
                   : member->name[0] ? ""
                                     : "unstarted-",
                   mine              ? ""
                   : member->name[0] ? member->name
                                     : member->id,
                   member->peer_url);
    }
    if (!there)
        return err_set(err, ERR_VERIFY, 0, "etcd added this member and does not list it");
    return write_env(join, &cluster, "existing", NULL, err);
}

/* Tries once. *RET_DONE false: retry; LINE has the reason. */
static int try_replace(struct join *join, const char *why, char line[ERR_TEXT_MAX], bool *ret_done,
                       struct err *err)
{
    struct etcd_members members;
    struct err failed = {0};
    *ret_done = replace_run(&join->replace, &members, &failed) == 0;
    if (*ret_done) {
        log_once(join, why);
        return start_replacement(join, &members, err);
    }
    if (failed.kind == ERR_IO || failed.kind == ERR_SPACE || failed.kind == ERR_INTERNAL) {
        *err = failed;
        return -1;
    }
    snprintf(line, ERR_TEXT_MAX, "%.600s; waiting for a quorum to take it in: %.1200s", why, failed.text);
    log_once(join, line);
    return 0;
}

static int replace_loop(struct join *join, const char *why, struct err *err)
{
    char line[ERR_TEXT_MAX];
    for (bool done = false; !done;)
        if (try_replace(join, why, line, &done, err) < 0 || (!done && pause_or_stop(join, line, err) < 0))
            return -1;
    return 0;
}

static struct restore restore_of(const struct join *join)
{
    return (struct restore){join->replace.root, join->options->server, join->replace.metadata,
                            join->options->peer_port};
}

/* Before a founding: gets the snapshot that the metadata wants, until it is there. *RET_FRESH: it was not
 * before, and the other members have to be asked again. */
static int prepare_restore(struct join *join, bool *ret_fresh, struct err *err)
{
    const struct restore restore = restore_of(join);
    bool due = false;
    struct err failed = {0};
    *ret_fresh = false;
    if (join->prepared || restore_is_due(&restore, &due, err) < 0 || !due)
        return join->prepared || !due ? 0 : -1;
    while (restore_prepare(&restore, join->log, &failed) < 0) {
        log_once(join, failed.text);
        if (pause_or_stop(join, failed.text, err) < 0)
            return -1;
        clock_sleep_ms(JOIN_RESTORE_MS);
    }
    *ret_fresh = join->prepared = true;
    return 0;
}

/* Saves the roster that lists this disk durably; then etcd may start. */
static int take_part(struct join *join, const struct member_roster *roster, struct err *err)
{
    const struct restore restore = restore_of(join);
    if (join->prepared)
        return restore_commit(&restore, err) < 0 ? -1 : start_on_data(join, false, err);
    if (member_state_decide(join->replace.root, roster, err) < 0)
        return -1;
    join->disk.roster = *roster;
    return start_new(join, err);
}

/* Until something has changed in the cluster, a replacement keeps asking: a member with a roster that lists
 * this disk may still appear. */
static int first_start(struct join *join, struct err *err)
{
    struct peers_reply rounds[2][NODE_MEMBERS_MAX];
    struct decision decision = {0};
    char line[ERR_TEXT_MAX];
    for (unsigned i = 0;; i ^= 1) {
        const struct peers_reply *before = decision.kind == DECISION_CONFIRM ? rounds[i ^ 1] : NULL;
        if (peers_ask(&join->peers, JOIN_ROUND_MS, rounds[i], err) < 0)
            return -1;
        decide(join->replace.metadata, join->disk.id, rounds[i], before, &decision);
        if (decision.kind == DECISION_CONFIRM)
            continue;
        if (decision.kind == DECISION_NEW) {
            bool again = false;
            if (decide_founder(join->replace.metadata) == join->replace.metadata->self &&
                prepare_restore(join, &again, err) < 0)
                return -1;
            if (again) {
                decision.kind = DECISION_WAIT;
                continue;
            }
            log_once(join, decision.why);
            return take_part(join, &decision.roster, err);
        }
        if (decision.kind == DECISION_REPLACE) {
            bool done = false;
            if (try_replace(join, decision.why, line, &done, err) < 0)
                return -1;
            if (done)
                return 0;
            if (member_state_load(join->replace.root, &join->disk, err) < 0)
                return -1;
            if (join->disk.marked) /* the cluster may have changed: no way back */
                return replace_loop(join, decision.why, err);
        } else {
            log_once(join, decision.why);
        }
        if (pause_or_stop(join, decision.why, err) < 0)
            return -1;
    }
}

/* Puts the data of a member aside that a living quorum does not have. One that may not become a member again
 * waits here, and keeps what it has. */
static int leave_if_removed(struct join *join, struct err *err)
{
    char line[ERR_TEXT_MAX];
    struct err why = {0};
    const struct root *root = join->replace.root;
    for (;;) {
        if (replace_find(&join->replace, &why) != REPLACE_REMOVED)
            return 0;
        if (why.kind == ERR_NONE)
            break;
        snprintf(line, sizeof line, "the cluster has removed this member; its data is kept: %.1900s",
                 why.text);
        log_once(join, line);
        if (pause_or_stop(join, line, err) < 0)
            return -1;
    }
    log_once(join,
             "the cluster has removed this member: its data is moved aside, and it joins as a replacement");
    if (member_state_mark_joined(root, "replacing", err) < 0 ||
        member_state_set_aside(root, (long long)time(NULL), err) < 0)
        return -1;
    return member_state_load(root, &join->disk, err);
}

/* A member that others removed while it was away finds that out from them, and its etcd ends. Only when etcd
 * was started in this boot before is it worth asking: a reboot must not wait for machines that are off. */
static int check_removed(struct join *join, struct err *err)
{
    cleanup_close int earlier = root_openat(join->replace.root, JOIN_ENV, O_PATH);
    if (earlier < 0 || join->replace.metadata->node_count < 2)
        return 0;
    return leave_if_removed(join, err);
}

/* Whether this disk's data is still the cluster's, if the metadata gives that to one last disk. */
static int follow_last_disk(struct join *join, bool *ret_alone, struct err *err)
{
    char why[ERR_TEXT_MAX];
    enum last_disk_step step;
    for (;;) {
        if (last_disk_decide(&join->replace, &step, why, err) < 0)
            return -1;
        if (why[0])
            log_once(join, why);
        *ret_alone = step == LAST_DISK_ALONE;
        if (step != LAST_DISK_WAIT)
            return step == LAST_DISK_LEAVE ? leave_if_removed(join, err) : 0;
        if (pause_or_stop(join, why, err) < 0)
            return -1;
    }
}

static int decide_and_start(struct join *join, struct err *err)
{
    const struct root *root = join->replace.root;
    struct member_state *disk = &join->disk;
    bool alone = join->replace.metadata->node_count == 1, last = false, again = false;
    if (member_state_load(root, disk, err) < 0 ||
        (disk->has_data && follow_last_disk(join, &last, err) < 0) ||
        (disk->has_data && !last && check_removed(join, err) < 0))
        return -1;
    if (disk->has_data)
        return start_on_data(join, last, err);
    if (disk->marked && !alone) {
        if (disk->roster.count > 0 && member_state_start_over(root, err) < 0)
            return -1;
        return replace_loop(join, "this disk took part before and has no data: joining as a replacement",
                            err);
    }
    if (disk->phase == MEMBER_DECIDED)
        return start_new(join, err);
    if (!disk->has_id && member_state_incarnate(root, disk->id, err) < 0)
        return -1;
    disk->has_id = true;
    if (!alone)
        return first_start(join, err);
    if (prepare_restore(join, &again, err) < 0)
        return -1;
    struct peers_reply none[NODE_MEMBERS_MAX] = {0};
    struct decision decision;
    decide(join->replace.metadata, disk->id, none, none, &decision);
    return take_part(join, &decision.roster, err);
}

/* Only one join at a time may read and change the disk's state. */
static int lock_folder(const struct root *root, int *ret_fd, struct err *err)
{
    cleanup_close int fd = -1;
    if (root_write(root, MEMBER_STATE_FOLDER "/lock", "", 0, 0600, err) < 0)
        return -1;
    fd = root_openat(root, MEMBER_STATE_FOLDER, O_RDONLY | O_DIRECTORY);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? err_set(err, ERR_IO, 0, "another join is at work on this disk")
                                    : err_sys(err, errno, "lock %s", MEMBER_STATE_FOLDER);
    *ret_fd = steal_fd(&fd);
    return 0;
}

int join_run(const struct root *root, const struct node_metadata *metadata,
             const struct join_options *options, const struct log *log, struct err *err)
{
    cleanup_close int held = -1;
    struct peers_reported reported = {0};
    cleanup_free struct join *join = calloc(1, sizeof *join);
    if (!join)
        return err_oom(err);
    join->options = options;
    join->log = log;
    join->replace = (struct replace){root, metadata, options->client_port, options->peer_port};
    join->peers = (struct peers){root, metadata, &options->key, log, &reported, options->roster_port};
    join->deadline = options->limit_s ? clock_now_ms() + (int64_t)options->limit_s * 1000 : 0;
    if (lock_folder(root, &held, err) < 0)
        return -1;
    return decide_and_start(join, err);
}

int joined_run(const struct root *root, struct err *err)
{
    return member_state_mark_joined(root, "joined", err);
}
