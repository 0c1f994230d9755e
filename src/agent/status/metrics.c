#include <string.h>

#include "agent/status/write.h"
#include "text/utf8.h"

static void put_head(struct buf *ret, const char *name, const char *help)
{
    buf_printf(ret, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static void put_value(struct buf *ret, const char *name, const char *help, uint64_t value)
{
    put_head(ret, name, help);
    buf_printf(ret, "%s %llu\n", name, (unsigned long long)value);
}

/* A label's value, between its quotation marks. */
static void put_label(struct buf *ret, const char *text)
{
    bool sound = utf8_ok(text, strlen(text));
    for (; *text; text++) {
        if (*text == '\n')
            buf_str(ret, "\\n");
        else if (*text == '"' || *text == '\\')
            buf_printf(ret, "\\%c", *text);
        else
            buf_add(ret, (unsigned char)*text >= 0x80 && !sound ? "?" : text, 1);
    }
}

static void put_units(const struct baked_units *units, struct buf *ret)
{
    static const struct {
        const char *name, *help, *state;
    } all[] = {{"bake_unit_active", "Whether a unit of the image runs, or has run.", "active"},
               {"bake_unit_failed", "Whether a unit of the image has failed.", "failed"}};
    for (size_t k = 0; k < sizeof all / sizeof *all && units->count > 0; k++) {
        put_head(ret, all[k].name, all[k].help);
        for (size_t i = 0; i < units->count; i++) {
            buf_printf(ret, "%s{unit=\"", all[k].name);
            put_label(ret, units->all[i].name);
            buf_printf(ret, "\"} %d\n", strcmp(units->all[i].active, all[k].state) == 0);
        }
    }
}

static void put_disks(const struct own_facts *own, struct buf *ret)
{
    static const char *const names[] = {"bake_filesystem_size_bytes", "bake_filesystem_free_bytes"},
                             *const helps[] = {"Size of the file system that holds a folder.",
                                               "What of it processes may still use."};
    for (size_t k = 0; k < 2; k++) {
        put_head(ret, names[k], helps[k]);
        for (size_t i = 0; i < OWN_DISKS; i++)
            if (own->disks[i].path)
                buf_printf(ret, "%s{path=\"%s\"} %llu\n", names[k], own->disks[i].path,
                           (unsigned long long)(k == 0 ? own->disks[i].bytes : own->disks[i].free_bytes));
    }
}

static void put_info(const struct own_facts *own, struct buf *ret)
{
    put_head(ret, "bake_agent_info", "The version of the node's agent.");
    buf_str(ret, "bake_agent_info{version=\"" BAKE_VERSION "\"} 1\n");
    if (!own->configured)
        return;
    put_head(ret, "bake_node_info", "The node and its cluster.");
    buf_str(ret, "bake_node_info{node=\"");
    put_label(ret, own->metadata.name);
    buf_str(ret, "\",cluster=\"");
    put_label(ret, own->metadata.cluster_name);
    buf_str(ret, "\"} 1\n");
}

static unsigned count_words(const char *text)
{
    unsigned count = 0;
    for (; *text; text += strcspn(text, " "), text += strspn(text, " "))
        count++;
    return count;
}

void status_write_metrics(const struct own_facts *own, struct buf *ret)
{
    put_info(own, ret);
    put_value(ret, "bake_contents_ok", "Whether the files of the image were as signed, when the node booted.",
              own_contents_ok(own));
    if (own->first_end.path[0])
        put_value(ret, "bake_certificates_end_timestamp_seconds", "When the first of the certificates ends.",
                  (uint64_t)own->first_end.at);
    put_value(ret, "bake_reloads_pending", "Services that have not yet read a changed configuration.",
              count_words(own->pending));
    put_value(ret, "bake_snapshots", "Snapshots of etcd on this node's disk.", own->snapshots.count);
    if (own->snapshots.count > 0) {
        put_value(ret, "bake_snapshot_timestamp_seconds", "When the newest of them was made.",
                  (uint64_t)own->snapshots.at);
        put_value(ret, "bake_snapshot_size_bytes", "Its size.", own->snapshots.bytes);
    }
    if (own->runs_etcd)
        put_value(ret, "bake_etcd_healthy", "Whether this node's etcd says that it is healthy.",
                  own->etcd_healthy);
    put_disks(own, ret);
    put_units(&own->units, ret);
}
