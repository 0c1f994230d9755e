#include "agent/rotate/rotate.h"

#include <string.h>
#include <time.h>

#include "agent/config/configure.h"
#include "agent/config/readers.h"
#include "agent/etcd/kv.h"
#include "agent/os/tool.h"
#include "agent/rotate/secrets.h"
#include "base/clock.h"
#include "node/pki.h"

enum { WORD_MAX = 128, PAUSE_MS = 1000, REWRITE_S = 600 };

static const char done[] = "done";

struct stepper {
    struct rotate *rotate;
    const struct node_metadata *metadata;
    const struct cluster_secret *secret;
    const struct rotation *rotation;
    struct tls_files files;
    struct etcd_api api; /* the node's own member */
    struct etcd_members members;
    const char *self; /* its id in etcd */
    struct secrets_server server;
    struct err *err;
};

/* --- what the members say --- */

static void key_of(const char *to, const char *what, char ret[static ETCD_KEY_CAP])
{
    snprintf(ret, ETCD_KEY_CAP, ROTATE_FOLDER "%s/%s", to, what);
}

/* The value of a key of the rotation to TO; "" if there is none. */
static int read_word(const struct stepper *s, const char *to, const char *what, char ret[static WORD_MAX])
{
    cleanup_buf struct buf value = BUF_INIT(ETCD_VALUE_MAX);
    char key[ETCD_KEY_CAP];
    bool found = false;
    key_of(to, what, key);
    if (etcd_get(&s->api, key, &value, &found, s->err) < 0)
        return -1;
    snprintf(ret, WORD_MAX, "%.*s", found ? (int)value.len : 0, found && value.data ? value.data : "");
    return 0;
}

static int find_members(struct stepper *s)
{
    if (etcd_members_ask(&s->api, &s->members, s->err) < 0)
        return -1;
    for (size_t i = 0; i < s->members.count; i++)
        if (strcmp(s->members.members[i].name, s->metadata->name) == 0)
            s->self = s->members.members[i].id;
    return s->self ? 0 : err_set(s->err, ERR_VERIFY, 0, "etcd has no member %s", s->metadata->name);
}

/* RET: a member that is not at one of these stages, or "" if all are. */
static int find_behind(const struct stepper *s, const char *to, enum rotation_stage least,
                       char ret[static VALUE_NAME_CAP])
{
    ret[0] = '\0';
    for (size_t i = 0; i < s->members.count && !ret[0]; i++) {
        const struct etcd_member *member = &s->members.members[i];
        char word[WORD_MAX];
        bool there = false;
        if (read_word(s, to, member->id, word) < 0)
            return -1;
        for (enum rotation_stage k = least; k < ROTATION_STAGES; k++)
            there = there || strcmp(word, rotation_stage_names[k]) == 0;
        if (!there)
            snprintf(ret, VALUE_NAME_CAP, "%s", member->name[0] ? member->name : member->id);
    }
    return 0;
}

static int publish(const struct stepper *s, const struct rotation *at)
{
    char key[ETCD_KEY_CAP], secrets[ETCD_KEY_CAP], word[WORD_MAX];
    const char *stage = rotation_stage_names[at->stage];
    if (read_word(s, at->to, s->self, word) < 0)
        return -1;
    if (strcmp(word, stage) == 0)
        return 0;
    key_of(at->to, s->self, key);
    key_of(at->to, "secrets", secrets);
    if (at->stage == ROTATION_TRUST && etcd_delete(&s->api, secrets, s->err) < 0)
        return -1;
    return etcd_set(&s->api, key, stage, strlen(stage), NULL, s->err);
}

/* --- one node at a time --- */

/* A second member must not go while one is away. */
static int check_members(const struct stepper *s)
{
    for (size_t i = 0; i < s->metadata->node_count; i++) {
        const struct node_member *node = &s->metadata->nodes[i];
        struct etcd_members unused;
        struct etcd_api api = etcd_api_at(&s->files, node->ip, ETCD_API_PORT);
        if (etcd_members_ask(&api, &unused, s->err) < 0)
            return err_wrap(s->err, "the member %s does not answer", node->name);
    }
    return 0;
}

/* Programs that take keys only when they start, and are not among the agent's readers. Flannel and Calico are
 * there or not. */
static int start_clients(const struct stepper *s)
{
    return tool_run(s->rotate->root, tool_systemctl, NULL, s->err, "--no-block", "try-restart",
                    "flanneld*.service", "calico-node*.service", NULL);
}

static int await_server(const struct stepper *s, const struct rotation *after)
{
    int64_t deadline = clock_now_ms() + INT64_C(1000) * ROTATE_START_S;
    char keys[ROTATION_KEYS_CAP];
    bool ready = false;
    rotation_keys(after, keys);
    for (;;) {
        int asked = secrets_server_ready(&s->server, s->metadata->name, keys, &ready, s->err);
        if (asked == 0 && ready)
            return 0;
        if (clock_now_ms() >= deadline)
            return asked < 0 ? -1
                             : err_set(s->err, ERR_NETWORK, 0,
                                       "this node's API server has not started with the new keys");
        clock_sleep_ms(PAUSE_MS);
    }
}

static int start_anew(const struct stepper *s, const struct rotation *after)
{
    const struct root *root = s->rotate->root;
    unsigned pending = 0, changed = 0;
    if (readers_begin(root, &pending, s->err) < 0 ||
        configure(root, s->metadata, s->secret, after, time(NULL), &changed, s->err) < 0 ||
        tool_run(root, tool_systemctl, NULL, s->err, "restart", "etcd.service", NULL) < 0)
        return -1;
    changed |= pending | CONFIGURED_KUBELET | CONFIGURED_KUBE_PROXY | CONFIGURED_NETWORK;
    if (readers_notify(root, changed & ~(unsigned)CONFIGURED_ETCD_KEYS, s->err) < 0)
        return -1;
    if (s->metadata->role == NODE_ROLE_WITNESS)
        return 0;
    return start_clients(s) < 0 ? -1 : await_server(s, after);
}

static int take_step(const struct stepper *s, const struct rotation *after)
{
    struct etcd_lease lease;
    struct err unused;
    bool locked = false;
    if (etcd_lock(&s->api, ROTATE_LOCK, s->metadata->name, ROTATE_START_S, &lease, &locked, s->err) < 0)
        return -1;
    if (!locked)
        return 0;
    log_printf(s->rotate->log, "secret: %s to %s: starting services with other keys",
               rotation_stage_names[s->rotation->stage], rotation_stage_names[after->stage]);
    /* while services do not start, the lock stays until it ends by itself: the next node must wait */
    if (check_members(s) < 0) {
        (void)!etcd_lease_revoke(&s->api, &lease, &unused);
        return -1;
    }
    if (start_anew(s, after) < 0 || rotation_save(s->rotate->root, after, s->err) < 0)
        return -1;
    log_printf(s->rotate->log, "secret: this node is at \"%s\"", rotation_stage_names[after->stage]);
    if (after->stage != ROTATION_NONE && publish(s, after) < 0)
        return -1;
    return etcd_lease_revoke(&s->api, &lease, s->err);
}

/* --- steps --- */

static int give_up(const struct stepper *s, const struct rotation *after)
{
    const char *to = s->rotation->to;
    for (size_t i = 0; i < s->members.count; i++) {
        const struct etcd_member *member = &s->members.members[i];
        char word[WORD_MAX];
        if (read_word(s, to, member->id, word) < 0)
            return -1;
        if (strcmp(word, "use") == 0 || strcmp(word, done) == 0)
            return err_set(s->err, ERR_VERIFY, 0,
                           "metadata: cluster-secret-next is gone, but %s uses it: put it back",
                           member->name);
    }
    char key[ETCD_KEY_CAP];
    key_of(to, s->self, key);
    return etcd_delete(&s->api, key, s->err) < 0 ? -1 : take_step(s, after);
}

static int finish(const struct stepper *s, const struct rotation *after)
{
    char behind[VALUE_NAME_CAP], word[WORD_MAX];
    if (find_behind(s, s->rotation->to, ROTATION_USE, behind) < 0 ||
        read_word(s, s->rotation->to, "secrets", word) < 0)
        return -1;
    if (behind[0] || strcmp(word, done) != 0)
        return err_set(
            s->err, ERR_VERIFY, 0,
            "metadata: the old secret is gone too early: %s%s. Put it back as cluster-secret, and the "
            "new one as cluster-secret-next",
            behind[0] ? behind : "not all Secrets are written with the new key",
            behind[0] ? " does not use the new one yet" : "");
    return take_step(s, after);
}

static int rewrite_secrets(const struct stepper *s)
{
    const char *name = s->metadata->name;
    struct etcd_lease lease;
    struct err unused;
    char key[ETCD_KEY_CAP];
    bool mine = false;
    size_t count = 0;
    key_of(s->rotation->to, "secrets", key);
    if (s->metadata->role == NODE_ROLE_WITNESS)
        return 0;
    if (etcd_lease_grant(&s->api, REWRITE_S, &lease, s->err) < 0 ||
        etcd_create(&s->api, key, name, strlen(name), &lease, &mine, s->err) < 0)
        return -1;
    int status = mine ? secrets_rewrite(&s->server, &count, s->err) : 0;
    /* not if a node that was replaced meanwhile has deleted the key */
    if (mine && status == 0)
        status = etcd_swap(&s->api, key, name, strlen(name), done, strlen(done), &mine, s->err);
    (void)!etcd_lease_revoke(&s->api, &lease, &unused);
    if (status == 0 && mine)
        log_printf(s->rotate->log, "secret: %zu Secrets are written with the new key", count);
    return status;
}

static int go_on(const struct stepper *s)
{
    struct rotate *rotate = s->rotate;
    struct rotation after = *s->rotation;
    char behind[VALUE_NAME_CAP], word[WORD_MAX];
    if (publish(s, s->rotation) < 0 || find_behind(s, after.to, after.stage, behind) < 0)
        return -1;
    after.stage++;
    if (s->rotation->stage == ROTATION_TRUST) {
        int64_t now = clock_now_ms();
        rotate->trusted_ms = behind[0] ? 0 : rotate->trusted_ms ? rotate->trusted_ms : now;
        return behind[0] || now - rotate->trusted_ms < INT64_C(1000) * rotate->spread_s
                   ? 0
                   : take_step(s, &after);
    }
    if (read_word(s, after.to, "secrets", word) < 0)
        return -1;
    if (strcmp(word, done) == 0)
        return rotation_save(rotate->root, &after, s->err) < 0 ? -1 : publish(s, &after);
    return behind[0] ? 0 : rewrite_secrets(s);
}

int rotate_run(struct rotate *rotate, const struct node_metadata *metadata,
               const struct cluster_secret *secret, const struct rotation *rotation, enum rotation_step step,
               bool *ret_under_way, struct err *err)
{
    struct stepper s = {.rotate = rotate,
                        .metadata = metadata,
                        .secret = secret,
                        .rotation = rotation,
                        .files = etcd_admin_files(rotate->root),
                        .server = {.files = {rotate->root, PKI_ADMIN_CA, PKI_ADMIN_CERT, PKI_ADMIN_KEY},
                                   .peer = {"127.0.0.1", PKI_API_PORT}},
                        .err = err};
    struct rotation after;
    s.api = etcd_api_at(&s.files, "127.0.0.1", ETCD_API_PORT);
    *ret_under_way =
        step != ROTATION_STAY || rotation->stage == ROTATION_TRUST || rotation->stage == ROTATION_USE;
    if (step == ROTATION_STAY && rotation->stage == ROTATION_NONE)
        return 0;
    if (find_members(&s) < 0)
        return err_wrap(err, "secret");
    rotation_after(rotation, metadata, secret, step, &after);
    int status = step == ROTATION_BEGIN     ? take_step(&s, &after)
                 : step == ROTATION_GIVE_UP ? give_up(&s, &after)
                 : step == ROTATION_FINISH  ? finish(&s, &after)
                 : *ret_under_way           ? go_on(&s)
                                            : publish(&s, rotation);
    return status < 0 ? err_wrap(err, "secret") : 0;
}
