#include "agent/join/lists.h"

#include <string.h>

static void see_list(void *ctx, const char *key, const char *value, size_t len)
{
    struct agree *agree = ctx;
    const char *name = key + strlen(LISTS_PREFIX);
    for (size_t i = 0; i < agree->members.count; i++)
        if (strcmp(agree->members.members[i].name, name) == 0 && len < sizeof agree->views[i].list)
            snprintf(agree->views[i].list, sizeof agree->views[i].list, "%s", value);
}

int lists_read(const struct etcd_api *api, struct agree *ret, struct err *err)
{
    *ret = (struct agree){0};
    if (etcd_members_ask(api, &ret->members, err) < 0)
        return -1;
    return etcd_each(api, LISTS_PREFIX, see_list, ret, err);
}

bool lists_probe(const struct etcd_member *member)
{
    struct wire_peer peer;
    struct err unused;
    cleanup_wire struct wire wire = WIRE_INIT;
    return !agree_peer(member, &peer) || wire_dial(&peer, LISTS_PROBE_MS, &wire, &unused) == 0;
}

int lists_publish(const struct etcd_api *api, const struct node_metadata *metadata,
                  const struct etcd_lease *lease, struct err *err)
{
    char key[ETCD_KEY_CAP];
    cleanup_buf struct buf list = BUF_INIT(AGREE_LIST_CAP - 1);
    node_metadata_write_members(metadata, &list);
    snprintf(key, sizeof key, LISTS_PREFIX "%s", metadata->name);
    if (buf_check(&list, key, err) < 0)
        return -1;
    return etcd_set(api, key, list.data, list.len, lease, err);
}

int lists_lock(const struct etcd_api *api, const struct node_metadata *metadata, struct etcd_lease *ret,
               struct err *err)
{
    bool locked = false;
    if (etcd_lock(api, LISTS_LOCK, metadata->name, LISTS_LOCK_S, ret, &locked, err) < 0)
        return err_wrap(err, "the members are being changed");
    return locked
               ? 0
               : err_set(err, ERR_REMOTE, 0, "the members are being changed: another holds %s", LISTS_LOCK);
}

void lists_unlock(const struct etcd_api *api, const struct etcd_lease *lock)
{
    struct err unused;
    (void)!etcd_lease_revoke(api, lock, &unused);
}
