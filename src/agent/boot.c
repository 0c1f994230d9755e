#include "agent/boot.h"

#include <string.h>

#include "agent/config/acquire.h"
#include "agent/config/configure.h"
#include "agent/contents/contents.h"
#include "agent/config/render.h"
#include "agent/etcd/member_state.h"

enum { FAULTS_MAX = 4096, NODE_ENV_MAX = 16 << 10 };

static void log_faults(const struct log *log, const struct buf *faults)
{
    const char *end = faults->data ? faults->data + faults->len : NULL;
    for (const char *at = faults->data, *stop; at && at < end && (stop = strchr(at, '\n')); at = stop + 1)
        log_printf(log, "CONTENTS BAD: %.*s", (int)(stop - at), at);
}

static int write_verdict(const struct root *root, const char *text, struct err *err)
{
    return root_write(root, BOOT_VERDICT, text, strlen(text), 0600, err);
}

static int check_contents(const struct root *root, const struct log *log, struct err *err)
{
    cleanup_buf struct buf faults = BUF_INIT(FAULTS_MAX);
    struct contents_verdict verdict;
    char text[ERR_TEXT_MAX + 16];
    if (contents_check(root, &verdict, &faults, err) < 0) {
        struct err unwritten;
        log_faults(log, &faults);
        snprintf(text, sizeof text, "bad: %s\n", err->text);
        if (write_verdict(root, text, &unwritten) < 0)
            log_line(log, unwritten.text);
        return err_wrap(err, "the image's contents are bad");
    }
    snprintf(text, sizeof text, "ok %zu files %s%s\n", verdict.files,
             verdict.is_signed ? "signed " : "unsigned", verdict.key_id);
    log_printf(log, "contents %.*s", (int)strcspn(text, "\n"), text);
    return write_verdict(root, text, err);
}

/* The keys on a disk with data are the only ones that its cluster accepts and that open its Secrets. RET:
 * where the node is with these secrets: nothing runs yet that would have to follow. */
static int check_secret(const struct root *root, const struct node_metadata *metadata,
                        const struct cluster_secret *secret, struct rotation *ret, struct err *err)
{
    struct member_state disk;
    struct err unread;
    struct rotation now = {0};
    enum rotation_step step = ROTATION_STAY;
    if (!secret->set)
        return rotation_load(root, ret, err);
    if (configure_check_secret(root, metadata, secret, &now, &step, err) < 0) {
        if (member_state_load(root, &disk, &unread) < 0 || disk.phase == MEMBER_JOINED)
            return -1;
        now = (struct rotation){0};
        step = secret->has_next ? ROTATION_BEGIN : ROTATION_STAY;
    }
    rotation_after(&now, metadata, secret, step, ret);
    return 0;
}

/* Good metadata starts the node even if the disk is full. */
static void save_copy(const struct root *root, const struct node_metadata *metadata, const struct log *log)
{
    struct err unsaved;
    if (acquire_save(root, metadata, &unsaved) < 0)
        log_line(log, unsaved.text);
}

int boot_run(const struct root *root, const struct wire_peer *peer, unsigned metadata_timeout_s,
             const struct log *log, struct err *err)
{
    struct node_metadata metadata;
    cleanup_cluster_secret struct cluster_secret secret = {0};
    struct rotation rotation;
    unsigned changed = 0; /* unused: nothing runs yet that would need a restart */
    if (root_remove(root, BOOT_DONE, err) < 0 || check_contents(root, log, err) < 0 ||
        acquire_metadata(root, peer, metadata_timeout_s, log, &metadata, &secret, err) < 0 ||
        check_secret(root, &metadata, &secret, &rotation, err) < 0 ||
        configure(root, &metadata, &secret, &rotation, time(NULL), &changed, err) < 0 ||
        (secret.set && rotation_save(root, &rotation, err) < 0))
        return -1;
    if (secret.set)
        save_copy(root, &metadata, log);
    log_printf(log, "node %s ip %s cluster %s%s", metadata.name, metadata.ip, metadata.cluster_name,
               secret.set ? "" : " (from the last good metadata)");
    return root_write(root, BOOT_DONE, "", 0, 0600, err);
}

int boot_check(const struct root *root, const struct node_metadata *metadata,
               const struct cluster_secret *secret, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(BOOT_VERDICT_MAX);
    bool found = false;
    if (root_read(root, BOOT_VERDICT, &text, &found, err) < 0)
        return -1;
    if (found && text.data && strncmp(text.data, "bad", 3) == 0)
        return err_set(err, ERR_VERIFY, 0, "the image's contents are bad: this machine stays out");
    struct rotation unused;
    return check_secret(root, metadata, secret, &unused, err);
}

int boot_node_value(const struct root *root, const char *name, char *ret, size_t cap, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(NODE_ENV_MAX);
    bool found = false;
    size_t len = strlen(name);
    if (root_read(root, RENDER_NODE_ENV, &text, &found, err) < 0)
        return -1;
    ret[0] = '\0';
    for (const char *at = text.data; found && at && *at; at += strcspn(at, "\n"), at += *at == '\n')
        if (strncmp(at, name, len) == 0 && at[len] == '=')
            snprintf(ret, cap, "%.*s", (int)strcspn(at + len + 1, "\n"), at + len + 1);
    return 0;
}

int boot_hostname(const struct root *root, struct err *err)
{
    char name[VALUE_NAME_CAP], now[256] = "";
    if (boot_node_value(root, "BAKE_NODE_NAME", name, sizeof name, err) < 0)
        return -1;
    if (!value_name_ok(name))
        return err_set(err, ERR_VERIFY, 0, "%s names no node: run `bake-agent boot` first", RENDER_NODE_ENV);
    if (gethostname(now, sizeof now - 1) == 0 && strcmp(now, name) == 0)
        return 0;
    if (sethostname(name, strlen(name)) < 0)
        return err_sys(err, errno, "set the host name to %s", name);
    return 0;
}
