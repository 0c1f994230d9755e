/* The configuration of everything that runs on the node.
 *
 * In:    checked metadata; the image's templates in /opt/bake/templates.
 * Out:   /run/bake/node.env, /run/bake/etcd.env; kubelet.yaml and kube-proxy.yaml in /etc/kubernetes;
 *        admission.yaml and audit.yaml in /etc/kubernetes/apiserver; static pods' manifests in
 * /etc/kubernetes/manifests; templates named addon-* in /etc/kubernetes/addons; the node's part of
 * /etc/hosts. A witness gets the environment files and its part of /etc/hosts only. Fails: ERR_IO, ERR_SPACE;
 * ERR_VERIFY for a template with an unknown mark, or if this node's slot changed. Each file is then the old
 * one or the new one, never a part. Never: quotes: no checked value holds a character that is special to
 * systemd.exec(5), YAML or a shell. Rewrites an unchanged file: kubelet restarts a static pod when its
 * manifest is written.
 */
#ifndef BAKE_AGENT_CONFIG_RENDER_H
#define BAKE_AGENT_CONFIG_RENDER_H

#include "node/metadata.h"
#include "agent/os/root.h"

#define RENDER_NODE_ENV   "/run/bake/node.env"
#define RENDER_ETCD_ENV   "/run/bake/etcd.env"
#define RENDER_TEMPLATES  "/opt/bake/templates"
#define RENDER_KUBE       "/etc/kubernetes"
#define RENDER_API_SERVER "/etc/kubernetes/apiserver"

enum rendered {
    RENDERED_KUBELET = 1 << 0,
    RENDERED_KUBE_PROXY = 1 << 1,
    RENDERED_ADDONS = 1 << 2,
    RENDERED_MEMBERS = 1 << 3, /* the set of members, which the pod network follows */
    RENDERED_OTHER = 1 << 4,
};

void render_node(const struct node_metadata *metadata, struct buf *ret);
void render_etcd(const struct node_metadata *metadata, struct buf *ret);

/* NETWORK is "vxlan", "flannel" or "calico"; KEYS the word of rotation.h. RET_CHANGED: bits of enum rendered.
 */
must_check int render_all(const struct root *root, const struct node_metadata *metadata, const char *network,
                          const char *keys, unsigned *ret_changed, struct err *err);

#endif
