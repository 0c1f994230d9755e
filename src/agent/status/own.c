#include "agent/status/own.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "agent/backup/snapshot.h"
#include "agent/config/acquire.h"
#include "agent/config/readers.h"
#include "agent/contents/contents.h"
#include "agent/etcd/member_state.h"
#include "node/x509.h"

#define SNAPSHOT_END ".db"

enum { HEALTH_MAX = 4096, DISK_LOW_PERCENT = 10 };

/* A certificate with less left should have been renewed long ago. */
enum { LATE_S = X509_RENEW_DAYS / 2 * 86400 };

static void read_contents(const struct root *root, const char *path, struct own_facts *facts,
                          struct buf *problems)
{
    cleanup_buf struct buf text = BUF_INIT(HEALTH_MAX);
    struct err err;
    bool found = false;
    if (root_read(root, path, &text, &found, &err) < 0)
        buf_printf(problems, "%s\n", err.text);
    else if (found && text.data)
        snprintf(facts->contents, sizeof facts->contents, "%.*s", (int)strcspn(text.data, "\n"), text.data);
    if (!own_contents_ok(facts))
        buf_printf(problems, "contents: %s\n", facts->contents[0] ? facts->contents : "not checked");
}

bool own_contents_ok(const struct own_facts *facts)
{
    return strncmp(facts->contents, "ok ", 3) == 0;
}

static void read_certificates(const struct root *root, struct own_facts *facts, struct buf *problems)
{
    struct err err;
    if (pki_find_first_end(root, &facts->first_end, &err) < 0)
        buf_printf(problems, "%s\n", err.text);
    else if (facts->first_end.path[0] && facts->first_end.at - time(NULL) < LATE_S)
        buf_printf(problems, "%s was not renewed in time: see bake-watch.service\n", facts->first_end.path);
}

static void read_pending(const struct root *root, struct own_facts *facts, struct buf *problems)
{
    cleanup_buf struct buf units = BUF_INIT(OWN_PENDING_MAX - 1);
    readers_list_pending(root, &units);
    snprintf(facts->pending, sizeof facts->pending, "%s", units.data ? units.data : "");
    if (units.len > 0)
        buf_printf(problems, "not yet reloaded with new configuration: %s\n", facts->pending);
}

static void read_units(const struct root *root, struct own_facts *facts, struct buf *problems)
{
    cleanup_buf struct buf list = BUF_INIT(CONTENTS_LIST_MAX);
    struct err err;
    if (contents_read(root, &list, &err) < 0 || units_list(list.data, list.len, &facts->units, &err) < 0 ||
        units_ask(root, &facts->units, &err) < 0) {
        facts->units.count = 0;
        buf_printf(problems, "%s\n", err.text);
        return;
    }
    for (size_t i = 0; i < facts->units.count; i++) {
        const struct baked_unit *unit = &facts->units.all[i];
        if (strcmp(unit->active, "failed") == 0)
            buf_printf(problems, "%s failed (%s)\n", unit->name, unit->result);
        else if (unit_dropped(unit))
            buf_printf(problems, "%s never started: a unit it requires failed\n", unit->name);
        facts->runs_etcd = facts->runs_etcd || strcmp(unit->name, "etcd.service") == 0;
    }
}

static void look_at_snapshot(int folder, const char *name, struct own_snapshots *all)
{
    struct stat st;
    size_t len = strlen(name), end = strlen(SNAPSHOT_END);
    if (len <= end || len >= sizeof all->newest || strcmp(name + len - end, SNAPSHOT_END) != 0 ||
        fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return;
    all->count++;
    if (all->newest[0] && st.st_mtime <= all->at)
        return;
    memcpy(all->newest, name, len + 1);
    all->at = st.st_mtime;
    all->bytes = (uint64_t)st.st_size;
}

static void read_snapshots(const struct root *root, struct own_snapshots *all)
{
    int fd = root_openat(root, SNAPSHOT_FOLDER, O_RDONLY | O_DIRECTORY);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    struct dirent *entry;
    for (unsigned seen = 0; (entry = readdir(dir)) != NULL && seen < OWN_SNAPSHOTS_MAX; seen++)
        look_at_snapshot(dirfd(dir), entry->d_name, all);
    (void)closedir(dir);
}

/* etcd's data may be on a disk of its own. */
static void read_disks(const struct root *root, struct own_facts *facts, struct buf *problems)
{
    static const char *const paths[OWN_DISKS] = {"/", MEMBER_STATE_DATA};
    dev_t first = 0;
    for (size_t i = 0; i < OWN_DISKS; i++) {
        struct statvfs space;
        struct stat st;
        struct own_disk *disk = &facts->disks[i];
        cleanup_close int fd = root_openat(root, paths[i], O_PATH);
        if (fd < 0 || fstat(fd, &st) < 0 || fstatvfs(fd, &space) < 0 || (i > 0 && st.st_dev == first))
            continue;
        first = st.st_dev;
        *disk = (struct own_disk){paths[i], (uint64_t)space.f_blocks * space.f_frsize,
                                  (uint64_t)space.f_bavail * space.f_frsize};
        if (disk->free_bytes < disk->bytes / 100 * DISK_LOW_PERCENT)
            buf_printf(problems, "the disk of %s is almost full\n", disk->path);
    }
}

static void read_health(const struct wire_peer *etcd, struct own_facts *facts, struct buf *problems)
{
    struct agent_http_request request = {.peer = etcd, .path = "/health", .timeout_ms = OWN_ETCD_MS};
    cleanup_buf struct buf body = BUF_INIT(HEALTH_MAX);
    struct err err = {0};
    int status = 0;
    if (!facts->runs_etcd)
        return;
    facts->etcd_healthy = agent_http_get(&request, &status, &body, &err) == 0 && status == 200 && body.data &&
                          strstr(body.data, "\"health\":\"true\"");
    if (!facts->etcd_healthy)
        buf_printf(problems, "this node's etcd is unhealthy: %s\n",
                   err.text[0]    ? err.text
                   : body.len > 0 ? body.data
                                  : "it says so");
}

int own_facts_read(const struct root *root, const struct own_sources *sources, struct own_facts *ret,
                   struct buf *problems, struct err *err)
{
    cleanup_free struct own_facts *facts = calloc(1, sizeof *facts);
    struct err unread;
    if (!facts)
        return err_oom(err);
    if (acquire_last(root, &facts->metadata, &facts->configured, &unread) < 0)
        buf_printf(problems, "%s\n", unread.text);
    else if (!facts->configured)
        buf_str(problems, "the node is not configured: see bake-node.service\n");
    read_contents(root, sources->verdict, facts, problems);
    read_certificates(root, facts, problems);
    read_pending(root, facts, problems);
    read_units(root, facts, problems);
    read_snapshots(root, &facts->snapshots);
    read_disks(root, facts, problems);
    read_health(&sources->etcd, facts, problems);
    *ret = *facts;
    return 0;
}
