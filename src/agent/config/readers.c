#include "agent/config/readers.h"

#include <string.h>

#include "agent/config/configure.h"
#include "agent/os/child.h"
#include "agent/os/tool.h"

#define UNDER_WAY "all\n"

enum { PENDING_MAX = 64, ASK_MS = 60000, ALL = ~0U >> 1 };

/* Not listed: static pods, which kubelet restarts when their manifests change, and programs that read their
 * certificates at each handshake. */
static const struct reader {
    const char *verb, *unit;
    unsigned bits;
    bool waits; /* for systemd to be done; the others' units are tried again by systemd itself */
} readers[] = {
    {"reload", "etcd.service", CONFIGURED_ETCD_KEYS, true},
    {"try-restart", "kubelet.service", CONFIGURED_KUBELET, false},
    {"try-restart", "kube-proxy.service", CONFIGURED_KUBE_PROXY, false},
    {"restart", "bake-network.service", CONFIGURED_NETWORK, true},
    {"try-restart", "bake-roster.service", CONFIGURED_NETWORK, false},
    {"try-restart", "bake-addons.service", CONFIGURED_ADDONS, false},
};

enum { READERS = sizeof readers / sizeof *readers };

/* What cannot be read counts as everything: notifying a service twice is harmless. */
static unsigned read_pending(const struct root *root, bool *ret_under_way)
{
    cleanup_buf struct buf text = BUF_INIT(PENDING_MAX);
    struct err unread;
    bool found = false;
    *ret_under_way = false;
    if (root_read(root, READERS_PENDING, &text, &found, &unread) == 0 && !found)
        return 0;
    const char *digits = found && text.data ? text.data : "";
    size_t len = strspn(digits, "0123456789");
    *ret_under_way = strcmp(digits, UNDER_WAY) == 0;
    return len > 0 && len < 10 && digits[len] == '\n' ? (unsigned)strtoul(digits, NULL, 10) : ALL;
}

int readers_begin(const struct root *root, unsigned *ret_pending, struct err *err)
{
    bool under_way;
    unsigned pending = read_pending(root, &under_way);
    if (root_write(root, READERS_PENDING, UNDER_WAY, strlen(UNDER_WAY), 0600, err) < 0)
        return -1;
    *ret_pending = pending;
    return 0;
}

/* A unit that is stopped copies its keys when it starts. "activating" is not stopped: it may have copied. */
static bool is_stopped(const struct root *root, const char *unit)
{
    const char *argv[] = {child_find(root, tool_systemctl), "is-active", unit, NULL};
    struct child child = {.argv = argv, .timeout_ms = ASK_MS};
    cleanup_buf struct buf out = BUF_INIT(PENDING_MAX);
    struct err err;
    int code = 0;
    return argv[0] && child_run(root, &child, &out, &code, &err) == 0 && code != 0 && out.data &&
           (strcmp(out.data, "inactive\n") == 0 || strcmp(out.data, "failed\n") == 0);
}

static int notify_reader(const struct root *root, const struct reader *reader, struct err *err)
{
    struct err failed;
    if (tool_run(root, tool_systemctl, NULL, &failed, reader->waits ? "--no-pager" : "--no-block",
                 reader->verb, reader->unit, NULL) == 0)
        return 0;
    if (strcmp(reader->verb, "reload") == 0 && is_stopped(root, reader->unit))
        return 0;
    *err = failed;
    return err_wrap(err, "%s %s", reader->verb, reader->unit);
}

int readers_notify(const struct root *root, unsigned changed, struct err *err)
{
    unsigned pending = 0;
    char text[16];
    for (size_t i = 0; i < READERS; i++)
        if ((changed & readers[i].bits) && notify_reader(root, &readers[i], err) < 0)
            pending |= readers[i].bits;
    if (!pending)
        return root_remove(root, READERS_PENDING, err);
    struct err unwritten; /* then the file still says "all" */
    int len = snprintf(text, sizeof text, "%u\n", pending);
    (void)!root_write(root, READERS_PENDING, text, (size_t)len, 0600, &unwritten);
    return -1;
}

int readers_retry(const struct root *root, struct err *err)
{
    bool under_way;
    unsigned pending = read_pending(root, &under_way);
    return pending ? readers_notify(root, pending, err) : 0;
}

void readers_list_pending(const struct root *root, struct buf *ret)
{
    bool under_way;
    unsigned pending = read_pending(root, &under_way);
    for (size_t i = 0; i < READERS && !under_way; i++)
        if (pending & readers[i].bits)
            buf_printf(ret, "%s%s", ret->len > 0 ? " " : "", readers[i].unit);
}
