#include "agent/config/configure.h"

#include <string.h>

#include "agent/pki/files.h"
#include "agent/config/render.h"

#define NETWORK_WORD "/opt/bake/network"

int configure_network_word(const struct root *root, char ret[static NETWORK_WORD_CAP], struct err *err)
{
    static const char *const known[] = {"vxlan", "flannel", "calico"};
    cleanup_buf struct buf text = BUF_INIT(NETWORK_WORD_CAP - 1);
    bool found = false;
    if (root_read(root, NETWORK_WORD, &text, &found, err) < 0)
        return -1;
    size_t len = text.data ? strcspn(text.data, "\n") : 0;
    for (size_t i = 0; found && i < sizeof known / sizeof *known; i++)
        if (strlen(known[i]) == len && memcmp(text.data, known[i], len) == 0) {
            snprintf(ret, NETWORK_WORD_CAP, "%s", known[i]);
            return 0;
        }
    if (found)
        return err_set(err, ERR_VERIFY, 0, "%s must be vxlan, flannel or calico", NETWORK_WORD);
    snprintf(ret, NETWORK_WORD_CAP, "%s", known[0]);
    return 0;
}

static unsigned of_files(unsigned rendered)
{
    unsigned changed = rendered ? CONFIGURED_OTHER : 0;
    if (rendered & RENDERED_KUBELET)
        changed |= CONFIGURED_KUBELET;
    if (rendered & RENDERED_KUBE_PROXY)
        changed |= CONFIGURED_KUBE_PROXY;
    if (rendered & RENDERED_MEMBERS)
        changed |= CONFIGURED_NETWORK;
    if (rendered & RENDERED_ADDONS)
        changed |= CONFIGURED_ADDONS;
    return changed;
}

static unsigned of_keys(unsigned folders)
{
    unsigned changed = folders ? CONFIGURED_OTHER : 0;
    if (folders & 1U << PKI_ETCD)
        changed |= CONFIGURED_ETCD_KEYS;
    if (folders & 1U << PKI_KUBELET) /* kubelet reads its serving certificate only at start */
        changed |= CONFIGURED_KUBELET;
    return changed;
}

int configure(const struct root *root, const struct node_metadata *metadata,
              const struct cluster_secret *secret, const struct rotation *rotation, time_t now,
              unsigned *ret_changed, struct err *err)
{
    char network[NETWORK_WORD_CAP];
    char keys[ROTATION_KEYS_CAP];
    cleanup_cluster_secret struct cluster_secret picked = {0};
    unsigned folders = 0, rendered = 0;
    if (configure_network_word(root, network, err) < 0)
        return -1;
    rotation_pick(rotation, secret, &picked);
    if (secret->set ? pki_files_write(root, metadata, &picked, rotation->stage >= ROTATION_USE, now, &folders,
                                      err) < 0
                    : pki_files_check(root, metadata, now, err) < 0)
        return -1;
    rotation_keys(rotation, keys);
    if (render_all(root, metadata, network, keys, &rendered, err) < 0)
        return -1;
    *ret_changed = of_keys(folders) | of_files(rendered);
    return 0;
}

/* A disk that an older agent configured has no fingerprint: its keys tell. */
static int check_files(const struct root *root, const struct node_metadata *metadata,
                       const struct cluster_secret *secret, struct err *err)
{
    char path[PATH_CAP];
    if (pki_files_find_foreign(root, metadata, secret, path, err) < 0)
        return -1;
    if (path[0] == '\0')
        return 0;
    return err_set(
        err, ERR_VERIFY, 0,
        "metadata: cluster-secret or cluster-name changed: %s was made from another. Nothing is "
        "rewritten: put the old value back, and give the new one as cluster-secret-next; or replace "
        "this node with an empty disk",
        path);
}

int configure_check_secret(const struct root *root, const struct node_metadata *metadata,
                           const struct cluster_secret *secret, struct rotation *ret_rotation,
                           enum rotation_step *ret_step, struct err *err)
{
    if (rotation_load(root, ret_rotation, err) < 0 ||
        rotation_ask(ret_rotation, metadata, secret, ret_step, err) < 0)
        return -1;
    return ret_rotation->from[0] ? 0 : check_files(root, metadata, secret, err);
}
