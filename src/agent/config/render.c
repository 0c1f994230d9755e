#include "agent/config/render.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "agent/config/hosts.h"
#include "agent/config/template.h"
#include "agent/net/services.h"
#include "agent/net/slots.h"
#include "agent/net/vxlan.h"
#include "node/pki.h"
#include "text/path.h"

enum { RENDER_MAX = 16 << 10, TEMPLATE_MAX = 1 << 20, MARKS = 17, TEMPLATES_MAX = 256 };

#define AUDIT_POLICY "audit.yaml"

static const char addon_prefix[] = "addon-", api_server[] = "kube-apiserver.yaml";

void render_node(const struct node_metadata *m, struct buf *ret)
{
    buf_printf(ret, "BAKE_NODE_NAME=%s\nBAKE_NODE_IP=%s\n", m->name, m->ip);
    buf_printf(ret, "BAKE_CLUSTER_NAME=%s\nBAKE_CLUSTER_NODES=", m->cluster_name);
    node_metadata_write_members(m, ret);
    buf_printf(ret, "\nBAKE_CLUSTER_DOMAIN=%s\nBAKE_POD_CIDR=%s\nBAKE_SERVICE_CIDR=%s\n", m->domain,
               m->pod_cidr, m->service_cidr);
    /* for kubelet.service and kube-proxy.service */
    buf_printf(ret, "NODE_NAME=%s\nNODE_IP=%s\n", m->name, m->ip);
}

/* ETCD_INITIAL_CLUSTER, its state and token are decided when etcd starts: see join/join.h. etcd also listens
 * on loopback, for people on the node; there, and only there, it serves its health without a certificate. */
void render_etcd(const struct node_metadata *m, struct buf *ret)
{
    buf_printf(ret, "ETCD_NAME=%s\n", m->name);
    buf_printf(ret, "ETCD_LISTEN_CLIENT_URLS=https://%s:2379,https://127.0.0.1:2379\n", m->ip);
    buf_printf(ret, "ETCD_ADVERTISE_CLIENT_URLS=https://%s:2379\n", m->ip);
    buf_printf(ret,
               "ETCD_LISTEN_PEER_URLS=https://%s:2380\nETCD_INITIAL_ADVERTISE_PEER_URLS=https://%s:2380\n",
               m->ip, m->ip);
    buf_str(ret, "ETCD_LISTEN_METRICS_URLS=http://127.0.0.1:2381\n");
    buf_str(ret, "ETCD_CERT_FILE=/run/etcd/server.crt\nETCD_KEY_FILE=/run/etcd/server.key\n"
                 "ETCD_TRUSTED_CA_FILE=/run/etcd/ca.crt\nETCD_CLIENT_CERT_AUTH=true\n"
                 "ETCD_PEER_CERT_FILE=/run/etcd/peer.crt\nETCD_PEER_KEY_FILE=/run/etcd/peer.key\n"
                 "ETCD_PEER_TRUSTED_CA_FILE=/run/etcd/ca.crt\nETCD_PEER_CLIENT_CERT_AUTH=true\n");
}

struct renderer {
    const struct root *root;
    const struct node_metadata *metadata;
    unsigned changed;
    struct template_mark marks[MARKS];
    size_t mark_count;
    char dns[VALUE_IP_CAP], cidr[VALUE_CIDR_CAP], mtu[8];
    struct err *err;
};

static void add_mark(struct renderer *r, const char *name, const char *value)
{
    if (r->mark_count < MARKS)
        r->marks[r->mark_count++] = (struct template_mark){name, value};
}

/* The API server uses only its own node's member. With all of them, etcd's client balances its requests, and
 * a third of them hang for 40 s after a machine dies silently, so that leases expire. When an API server
 * loses its own member, its clients move on to another API server. */
#define ETCD_SERVER "https://127.0.0.1:2379"

/* An option of the recipe. */
static bool has_audit_policy(const struct root *root)
{
    cleanup_close int fd = root_openat(root, RENDER_TEMPLATES "/" AUDIT_POLICY, O_PATH);
    return fd >= 0;
}

static int make_marks(struct renderer *r, const char *network)
{
    const struct node_metadata *m = r->metadata;
    pki_service_address(m, 10, r->dns);
    slot_cidr(m, m->self, r->cidr);
    add_mark(r, "ETCD_SERVERS", ETCD_SERVER);
    add_mark(r, "SERVICE_CIDR", m->service_cidr);
    add_mark(r, "POD_CIDR", m->pod_cidr);
    add_mark(r, "CLUSTER_DOMAIN", m->domain);
    add_mark(r, "CLUSTER_NAME", m->cluster_name);
    add_mark(r, "CLUSTER_DNS", r->dns);
    add_mark(r, "NODE_NAME", m->name);
    add_mark(r, "NODE_IP", m->ip);
    add_mark(r, "NODE_CIDR", r->cidr);
    /* flannel takes each node's range from its Node object; vxlan takes it from metadata, and calico
     * allocates its own blocks */
    add_mark(r, "ALLOCATE_NODE_CIDRS", strcmp(network, "flannel") == 0 ? "true" : "false");
    snprintf(r->mtu, sizeof r->mtu, "%d", VXLAN_MTU);
    add_mark(r, "MTU", r->mtu);
    bool audit = has_audit_policy(r->root);
    add_mark(r, "AUDIT_POLICY", audit ? RENDER_API_SERVER "/" AUDIT_POLICY : "");
    add_mark(r, "AUDIT_LOG", audit ? "/var/log/bake-audit/audit.log" : "");
    const char *mode;
    if (services_mode(r->root, &mode, r->err) < 0)
        return -1;
    add_mark(r, "PROXY_MODE", mode);
    return 0;
}

static int write_env(struct renderer *r, const char *path,
                     void (*render)(const struct node_metadata *, struct buf *), unsigned bit)
{
    cleanup_buf struct buf text = BUF_INIT(RENDER_MAX);
    bool changed = false;
    render(r->metadata, &text);
    if (buf_check(&text, path, r->err) < 0 ||
        root_keep(r->root, path, text.data, text.len, 0600, &changed, r->err) < 0)
        return -1;
    r->changed |= changed ? bit : 0;
    return 0;
}

/* The configuration files of components: neither pods nor add-ons. */
static const struct {
    const char *name, *folder;
    unsigned bit;
} configurations[] = {
    {"kubelet.yaml", RENDER_KUBE, RENDERED_KUBELET},
    {"kube-proxy.yaml", RENDER_KUBE, RENDERED_KUBE_PROXY},
    {"admission.yaml", RENDER_API_SERVER, RENDERED_OTHER},
    {AUDIT_POLICY, RENDER_API_SERVER, RENDERED_OTHER},
};

static unsigned target_of(const char *name, char path[static PATH_CAP])
{
    for (size_t i = 0; i < sizeof configurations / sizeof *configurations; i++)
        if (strcmp(name, configurations[i].name) == 0) {
            snprintf(path, PATH_CAP, "%s/%s", configurations[i].folder, name);
            return configurations[i].bit;
        }
    bool addon = strncmp(name, addon_prefix, strlen(addon_prefix)) == 0;
    snprintf(path, PATH_CAP, RENDER_KUBE "/%s/%s", addon ? "addons" : "manifests", name);
    return addon ? RENDERED_ADDONS : RENDERED_OTHER;
}

static int render_template(struct renderer *r, const char *name)
{
    char from[PATH_CAP], to[PATH_CAP];
    cleanup_buf struct buf text = BUF_INIT(TEMPLATE_MAX), made = BUF_INIT(2UL * TEMPLATE_MAX);
    bool found = false, changed = false;
    snprintf(from, sizeof from, RENDER_TEMPLATES "/%s", name);
    unsigned bit = target_of(name, to);
    if (root_read(r->root, from, &text, &found, r->err) < 0)
        return -1;
    if (template_fill(text.data ? text.data : "", text.len, r->marks, r->mark_count, &made, r->err) < 0)
        return err_wrap(r->err, "%s", from);
    if (root_keep(r->root, to, made.data ? made.data : "", made.len, 0600, &changed, r->err) < 0)
        return -1;
    r->changed |= changed ? bit : 0;
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The templates' names in order, the API server's last: everything it needs is rendered before it. */
static int list_templates(const struct root *root, char (*names)[NAME_CAP], size_t *ret_count,
                          struct err *err)
{
    size_t count = 0;
    int fd = root_openat(root, RENDER_TEMPLATES, O_RDONLY | O_DIRECTORY);
    if (fd < 0 && errno == ENOENT)
        return *ret_count = 0, 0;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        int saved = errno;
        if (fd >= 0)
            (void)close(fd);
        return err_sys(err, saved, "open %s", RENDER_TEMPLATES);
    }
    bool has_api = false;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        if (len < 6 || len >= NAME_CAP || strcmp(entry->d_name + len - 5, ".yaml") != 0 ||
            count == TEMPLATES_MAX)
            continue;
        if (strcmp(entry->d_name, api_server) == 0)
            has_api = true;
        else
            snprintf(names[count++], NAME_CAP, "%s", entry->d_name);
    }
    (void)closedir(dir);
    qsort(names, count, sizeof *names, compare);
    if (has_api && count < TEMPLATES_MAX)
        snprintf(names[count++], NAME_CAP, "%s", api_server);
    *ret_count = count;
    return 0;
}

/* For a node that became a witness: it runs no pods. */
static int remove_rendered(const struct root *root, const char *name, struct err *err)
{
    char path[PATH_CAP];
    (void)target_of(name, path);
    return root_remove(root, path, err);
}

int render_all(const struct root *root, const struct node_metadata *metadata, const char *network,
               const char *keys, unsigned *ret_changed, struct err *err)
{
    struct renderer r = {.root = root, .metadata = metadata, .err = err};
    cleanup_free char(*names)[NAME_CAP] = calloc(TEMPLATES_MAX, sizeof *names);
    size_t count = 0;
    bool hosts_changed = false;
    if (!names)
        return err_oom(err);
    add_mark(&r, "KEYS", keys);
    if (make_marks(&r, network) < 0 || slot_check(root, metadata, err) < 0 ||
        list_templates(root, names, &count, err) < 0 ||
        hosts_render(root, metadata, &hosts_changed, err) < 0 ||
        write_env(&r, RENDER_NODE_ENV, render_node, RENDERED_MEMBERS) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (metadata->role == NODE_ROLE_WITNESS ? remove_rendered(root, names[i], err) < 0
                                                : render_template(&r, names[i]) < 0)
            return -1;
    /* etcd.env last: etcd's unit waits for it, and needs the other files too */
    if (write_env(&r, RENDER_ETCD_ENV, render_etcd, RENDERED_OTHER) < 0)
        return -1;
    *ret_changed = r.changed | (hosts_changed ? RENDERED_OTHER : 0);
    return 0;
}
