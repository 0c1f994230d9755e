#include "agent/join/replace.h"

#include <string.h>

#include "agent/etcd/member_state.h"
#include "agent/join/join.h"
#include "agent/join/lists.h"

void replace_url(const struct replace *self, char ret[ETCD_URL_CAP])
{
    snprintf(ret, ETCD_URL_CAP, "https://%s:%u", self->metadata->ip, (unsigned)self->peer_port);
}

static bool is_mine(const struct replace *self, const struct etcd_member *member)
{
    char url[ETCD_URL_CAP];
    replace_url(self, url);
    return strcmp(member->name, self->metadata->name) == 0 || strcmp(member->peer_url, url) == 0;
}

/* Whether a living member has this node's name at another address. */
static bool runs_elsewhere(const struct replace *self, const struct agree *agree, size_t i)
{
    const struct etcd_member *member = &agree->members.members[i];
    char url[ETCD_URL_CAP];
    replace_url(self, url);
    return strcmp(member->name, self->metadata->name) == 0 && strcmp(member->peer_url, url) != 0 &&
           (agree->views[i].list[0] || lists_probe(member));
}

static int check_admitted(const struct replace *self, const struct etcd_api *api, struct err *err)
{
    cleanup_free struct agree *agree = calloc(1, sizeof *agree);
    if (!agree)
        return err_oom(err);
    if (lists_read(api, agree, err) < 0)
        return -1;
    for (size_t i = 0; i < agree->members.count; i++)
        if (runs_elsewhere(self, agree, i))
            return err_set(err, ERR_REMOTE, 0, "a member with this name runs at %s",
                           agree->members.members[i].peer_url);
    if (!agree_admits(agree, &self->metadata->nodes[self->metadata->self]))
        return err_set(err, ERR_REMOTE, 0,
                       "most living members do not have this node in their cluster-nodes: list it there, or "
                       "delete this instance");
    return 0;
}

/* Under the lock. */
static int change_members(const struct replace *self, const struct etcd_api *api, struct etcd_members *ret,
                          struct err *err)
{
    struct etcd_members now;
    char url[ETCD_URL_CAP];
    if (etcd_members_ask(api, &now, err) < 0 || member_state_mark_joined(self->root, "replacing", err) < 0)
        return -1;
    for (size_t i = 0; i < now.count; i++) {
        const struct etcd_member *member = &now.members[i];
        if (is_mine(self, member) && etcd_member_remove(api, member->id, err) < 0)
            return err_wrap(err, "remove the member %s (%s)",
                            member->name[0] ? member->name : "that never started", member->peer_url);
    }
    replace_url(self, url);
    return etcd_member_add(api, url, ret, err) < 0 ? err_wrap(err, "add this member") : 0;
}

static int replace_through(const struct replace *self, const struct etcd_api *api, struct etcd_members *ret,
                           struct err *err)
{
    struct etcd_lease lock;
    if (check_admitted(self, api, err) < 0 || lists_lock(api, self->metadata, &lock, err) < 0)
        return -1;
    int status = change_members(self, api, ret, err);
    lists_unlock(api, &lock);
    return status;
}

/* The API of the member with index NODE; false for this node. */
static bool api_of(const struct replace *self, const struct tls_files *files, size_t node,
                   struct etcd_api *ret)
{
    const struct node_metadata *m = self->metadata;
    if (node == m->self)
        return false;
    *ret = etcd_api_at(files, m->nodes[node].ip, self->client_port);
    return true;
}

int replace_run(const struct replace *self, struct etcd_members *ret, struct err *err)
{
    struct tls_files files = etcd_admin_files(self->root);
    char all[ERR_TEXT_MAX] = "";
    size_t len = 0;
    for (size_t i = 0; i < self->metadata->node_count; i++) {
        struct etcd_api api;
        if (!api_of(self, &files, i, &api))
            continue;
        if (replace_through(self, &api, ret, err) == 0)
            return 0;
        if (err->kind == ERR_IO || err->kind == ERR_SPACE || err->kind == ERR_INTERNAL)
            return -1; /* this machine's fault: no other member can help */
        int n = snprintf(all + len, sizeof all - len, "%s%s: %.200s", len > 0 ? "; " : "",
                         self->metadata->nodes[i].name, err->text);
        len += n > 0 && (size_t)n < sizeof all - len ? (size_t)n : 0;
    }
    return err_set(err, ERR_NETWORK, 0, "%s", all);
}

enum replace_place replace_find(const struct replace *self, struct err *ret_why)
{
    struct tls_files files = etcd_admin_files(self->root);
    for (size_t i = 0; i < self->metadata->node_count; i++) {
        struct etcd_members now;
        struct etcd_api api;
        struct err unused;
        if (!api_of(self, &files, i, &api) || etcd_members_ask(&api, &now, &unused) < 0)
            continue;
        for (size_t k = 0; k < now.count; k++)
            if (is_mine(self, &now.members[k]))
                return REPLACE_LISTED;
        *ret_why = (struct err){0};
        (void)!check_admitted(self, &api, ret_why);
        return REPLACE_REMOVED;
    }
    return REPLACE_UNKNOWN;
}
