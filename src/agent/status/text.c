#include "agent/status/write.h"

#include <string.h>

const char *status_time(time_t at, char ret[static STATUS_TIME_CAP])
{
    struct tm tm;
    if (!gmtime_r(&at, &tm) || strftime(ret, STATUS_TIME_CAP, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        ret[0] = '\0';
    return ret;
}

static void put_mib(struct buf *ret, uint64_t bytes)
{
    buf_printf(ret, "%.1f MiB", (double)bytes / (1 << 20));
}

static const char *etcd_word(const struct cluster_state *cluster, const struct cluster_row *row)
{
    if (!row->answers)
        return cluster->has_members && !row->id[0] ? "no member" : "no answer";
    return row->learns ? "learner" : row->leads ? "leader" : cluster->has_members ? "follower" : "answers";
}

static const char *node_word(const struct cluster_row *row)
{
    return !row->has_node ? "-" : !row->ready ? "NotReady" : row->closed ? "Ready,cordoned" : "Ready";
}

static const char *or_dash(const char *text)
{
    return text[0] ? text : "-";
}

static void put_members(const struct cluster_state *cluster, struct buf *ret)
{
    if (cluster->count == 0)
        return;
    buf_printf(ret, "\n%-16s %-15s %-9s %-8s %-10s %-14s %-9s %s\n", "MEMBER", "ADDRESS", "ETCD", "VERSION",
               "DATABASE", "NODE", "KUBELET", "API");
    for (size_t i = 0; i < cluster->count; i++) {
        const struct cluster_row *row = &cluster->rows[i];
        char size[32] = "-";
        if (row->answers)
            snprintf(size, sizeof size, "%.1f MiB", (double)row->bytes / (1 << 20));
        buf_printf(ret, "%-16s %-15s %-9s %-8s %-10s %-14s %-9s %s\n", row->name[0] ? row->name : "(new)",
                   or_dash(row->ip), etcd_word(cluster, row), or_dash(row->version), size, node_word(row),
                   or_dash(row->kubelet), row->serves ? "ready" : "-");
    }
}

static void put_snapshots(const struct own_snapshots *all, struct buf *ret)
{
    char when[STATUS_TIME_CAP];
    if (all->count == 0) {
        buf_str(ret, "  snapshots     none\n");
        return;
    }
    buf_printf(ret, "  snapshots     %u, the newest of %s, ", all->count, status_time(all->at, when));
    put_mib(ret, all->bytes);
    buf_str(ret, "\n");
}

static void put_units(const struct baked_units *units, struct buf *ret)
{
    unsigned active = 0;
    for (size_t i = 0; i < units->count; i++)
        active += strcmp(units->all[i].active, "active") == 0;
    buf_printf(ret, "  units         %u of %zu active\n", active, units->count);
}

static void put_own(const struct own_facts *own, struct buf *ret)
{
    char when[STATUS_TIME_CAP];
    buf_printf(ret, "\nthis node\n  contents      %s\n", own->contents[0] ? own->contents : "not checked");
    if (own->first_end.path[0])
        buf_printf(ret, "  certificates  valid until %s (%s)\n", status_time(own->first_end.at, when),
                   own->first_end.path);
    put_snapshots(&own->snapshots, ret);
    for (size_t i = 0; i < OWN_DISKS; i++) {
        const struct own_disk *disk = &own->disks[i];
        if (!disk->path)
            continue;
        buf_str(ret, "  disk          ");
        put_mib(ret, disk->free_bytes);
        buf_str(ret, " of ");
        put_mib(ret, disk->bytes);
        buf_printf(ret, " free (%s)\n", disk->path);
    }
    put_units(&own->units, ret);
}

static void put_problems(const struct buf *problems, struct buf *ret)
{
    if (problems->len == 0) {
        buf_str(ret, "\nno problems\n");
        return;
    }
    buf_str(ret, "\nproblems\n");
    for (const char *at = problems->data, *stop; *at; at = stop + (*stop == '\n')) {
        stop = at + strcspn(at, "\n");
        buf_printf(ret, "  %.*s\n", (int)(stop - at), at);
    }
}

void status_write_text(const struct status *status, struct buf *ret)
{
    const struct node_metadata *metadata = &status->own.metadata;
    size_t start = ret->len;
    buf_printf(ret, "cluster %s, seen from %s (bake-agent " BAKE_VERSION ")\n",
               or_dash(metadata->cluster_name), or_dash(metadata->name));
    put_members(&status->cluster, ret);
    put_own(&status->own, ret);
    put_problems(&status->problems, ret);
    for (size_t i = start; i < ret->len; i++) /* messages may quote a server */
        if (((unsigned char)ret->data[i] < 0x20 && ret->data[i] != '\n') || ret->data[i] == 0x7f)
            ret->data[i] = '?';
}
