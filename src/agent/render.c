#include "agent/render.h"

enum { RENDER_MAX = 16 << 10 };

void render_node(const struct metadata *m, struct buf *ret)
{
    buf_printf(ret, "BAKE_NODE_NAME=%s\nBAKE_NODE_IP=%s\n", m->name, m->ip);
    buf_printf(ret, "BAKE_CLUSTER_NAME=%s\nBAKE_CLUSTER_NODES=", m->cluster_name);
    metadata_write_nodes(m, ret);
    buf_printf(ret, "\nBAKE_CLUSTER_DOMAIN=%s\nBAKE_POD_CIDR=%s\nBAKE_SERVICE_CIDR=%s\n", m->domain,
               m->pod_cidr, m->service_cidr);
    /* the names that kubelet.service and kube-proxy.service use */
    buf_printf(ret, "NODE_NAME=%s\nNODE_IP=%s\n", m->name, m->ip);
}

/* A member on its own, on loopback: etcd without certificates must not be reachable from another machine. */
void render_etcd(const struct metadata *m, struct buf *ret)
{
    const char *client = "http://127.0.0.1:2379", *peer = "http://127.0.0.1:2380";
    buf_printf(ret, "ETCD_NAME=%s\nETCD_DATA_DIR=/var/lib/etcd\n", m->name);
    buf_printf(ret, "ETCD_LISTEN_CLIENT_URLS=%s\nETCD_ADVERTISE_CLIENT_URLS=%s\n", client, client);
    buf_printf(ret, "ETCD_LISTEN_PEER_URLS=%s\nETCD_INITIAL_ADVERTISE_PEER_URLS=%s\n", peer, peer);
    buf_printf(ret, "ETCD_INITIAL_CLUSTER=%s=%s\nETCD_INITIAL_CLUSTER_TOKEN=%s\n", m->name, peer,
               m->cluster_name);
}

int render_all(const struct root *root, const struct metadata *metadata, struct err *err)
{
    cleanup_buf struct buf node = BUF_INIT(RENDER_MAX);
    cleanup_buf struct buf etcd = BUF_INIT(RENDER_MAX);
    render_node(metadata, &node);
    render_etcd(metadata, &etcd);
    if (buf_check(&node, RENDER_NODE_ENV, err) < 0 || buf_check(&etcd, RENDER_ETCD_ENV, err) < 0)
        return -1;
    /* etcd.env last: etcd's unit needs it, and what it needs besides is there by then */
    if (root_write(root, RENDER_NODE_ENV, node.data, node.len, 0600, err) < 0)
        return -1;
    return root_write(root, RENDER_ETCD_ENV, etcd.data, etcd.len, 0600, err);
}
