#include <string.h>

#include "agent/status/write.h"
#include "text/utf8.h"

static void put_string(struct buf *ret, const char *text)
{
    bool sound = utf8_ok(text, strlen(text));
    buf_str(ret, "\"");
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\')
            buf_printf(ret, "\\%c", *at);
        else if (*at < 0x20 || *at == 0x7f)
            buf_printf(ret, "\\u%04x", *at);
        else
            buf_add(ret, *at >= 0x80 && !sound ? "?" : (const char *)at, 1);
    }
    buf_str(ret, "\"");
}

/* FIRST: no comma before it. */
static void put_member(struct buf *ret, bool first, const char *key, const char *value)
{
    buf_printf(ret, "%s\"%s\":", first ? "" : ",", key);
    put_string(ret, value);
}

static void put_bool(struct buf *ret, const char *key, bool value)
{
    buf_printf(ret, ",\"%s\":%s", key, value ? "true" : "false");
}

static void put_number(struct buf *ret, const char *key, uint64_t value)
{
    buf_printf(ret, ",\"%s\":%llu", key, (unsigned long long)value);
}

static void put_time(struct buf *ret, const char *key, time_t at)
{
    char when[STATUS_TIME_CAP];
    put_member(ret, false, key, status_time(at, when));
}

static void put_row(const struct cluster_row *row, struct buf *ret)
{
    buf_str(ret, "{");
    put_member(ret, true, "name", row->name);
    put_member(ret, false, "address", row->ip);
    put_bool(ret, "listed", row->listed);
    buf_printf(ret, ",\"etcd\":{\"member\":%s", row->id[0] ? "true" : "false");
    put_bool(ret, "answers", row->answers);
    if (row->answers) {
        put_member(ret, false, "version", row->version);
        put_bool(ret, "leader", row->leads);
        put_bool(ret, "learner", row->learns);
        put_number(ret, "bytes", row->bytes);
        put_number(ret, "bytes_in_use", row->used_bytes);
    }
    buf_printf(ret, "},\"kubernetes\":{\"node\":%s", row->has_node ? "true" : "false");
    if (row->has_node) {
        put_bool(ret, "ready", row->ready);
        put_bool(ret, "cordoned", row->closed);
        put_member(ret, false, "version", row->kubelet);
    }
    put_bool(ret, "api_ready", row->serves);
    buf_str(ret, "}}");
}

static void put_cluster(const struct cluster_state *cluster, struct buf *ret)
{
    buf_str(ret, ",\"members\":[");
    for (size_t i = 0; i < cluster->count; i++) {
        buf_str(ret, i > 0 ? "," : "");
        put_row(&cluster->rows[i], ret);
    }
    buf_str(ret, "],\"alarms\":[");
    for (size_t i = 0; i < cluster->alarm_count; i++) {
        buf_str(ret, i > 0 ? ",{" : "{");
        put_member(ret, true, "member_id", cluster->alarms[i].id);
        put_member(ret, false, "alarm", cluster->alarms[i].what);
        buf_str(ret, "}");
    }
    buf_str(ret, "]");
}

static void put_units(const struct baked_units *units, struct buf *ret)
{
    buf_str(ret, ",\"units\":[");
    for (size_t i = 0; i < units->count; i++) {
        buf_str(ret, i > 0 ? ",{" : "{");
        put_member(ret, true, "name", units->all[i].name);
        put_member(ret, false, "state", unit_word(&units->all[i]));
        buf_str(ret, "}");
    }
    buf_str(ret, "]");
}

static void put_disks(const struct own_facts *own, struct buf *ret)
{
    bool first = true;
    buf_str(ret, ",\"disks\":[");
    for (size_t i = 0; i < OWN_DISKS; i++) {
        const struct own_disk *disk = &own->disks[i];
        if (!disk->path)
            continue;
        buf_str(ret, first ? "{" : ",{");
        put_member(ret, true, "path", disk->path);
        put_number(ret, "bytes", disk->bytes);
        put_number(ret, "free_bytes", disk->free_bytes);
        buf_str(ret, "}");
        first = false;
    }
    buf_str(ret, "]");
}

static void put_own(const struct own_facts *own, struct buf *ret)
{
    buf_str(ret, ",\"own\":{");
    put_member(ret, true, "contents", own->contents);
    if (own->first_end.path[0]) {
        put_time(ret, "certificates_until", own->first_end.at);
        put_member(ret, false, "first_certificate", own->first_end.path);
    }
    put_member(ret, false, "pending_reloads", own->pending);
    put_number(ret, "snapshots", own->snapshots.count);
    if (own->snapshots.count > 0) {
        put_member(ret, false, "snapshot", own->snapshots.newest);
        put_time(ret, "snapshot_at", own->snapshots.at);
        put_number(ret, "snapshot_bytes", own->snapshots.bytes);
    }
    if (own->runs_etcd)
        put_bool(ret, "etcd_healthy", own->etcd_healthy);
    put_disks(own, ret);
    put_units(&own->units, ret);
    buf_str(ret, "}");
}

static void put_problems(const struct buf *problems, struct buf *ret)
{
    cleanup_buf struct buf line = BUF_INIT(STATUS_TEXT_MAX);
    buf_str(ret, ",\"problems\":[");
    for (const char *at = problems->data, *stop; at && *at; at = stop + (*stop == '\n')) {
        stop = at + strcspn(at, "\n");
        buf_free(&line);
        line = (struct buf)BUF_INIT(STATUS_TEXT_MAX);
        buf_add(&line, at, (size_t)(stop - at));
        buf_str(ret, at == problems->data ? "" : ",");
        put_string(ret, line.data ? line.data : "");
    }
    buf_str(ret, "]");
}

void status_write_json(const struct status *status, struct buf *ret)
{
    buf_printf(ret, "{\"format\":%d", STATUS_FORMAT);
    put_member(ret, false, "agent", BAKE_VERSION);
    put_member(ret, false, "cluster", status->own.metadata.cluster_name);
    put_member(ret, false, "node", status->own.metadata.name);
    put_cluster(&status->cluster, ret);
    put_own(&status->own, ret);
    put_problems(&status->problems, ret);
    buf_str(ret, "}\n");
}
