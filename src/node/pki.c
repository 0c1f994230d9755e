#include "node/pki.h"

#include <arpa/inet.h>
#include <string.h>

const struct pki_authority_spec pki_authorities[PKI_AUTHORITIES] = {
    [PKI_OF_CLUSTER] = {"ca cluster", "kubernetes"},
    [PKI_OF_ETCD] = {"ca etcd", "etcd"},
    [PKI_OF_FRONT_PROXY] = {"ca front-proxy", "front-proxy"},
};

static const struct {
    const char *name;
    const char *server; /* of its kubeconfig; NULL without one */
    bool witness;       /* on a witness, too */
} folders[PKI_FOLDERS] = {
    [PKI_APISERVER] = {"apiserver", NULL, false},
    [PKI_CONTROLLER_MANAGER] = {"controller-manager", "127.0.0.1", false},
    [PKI_SCHEDULER] = {"scheduler", "127.0.0.1", false},
    [PKI_KUBELET] = {"kubelet", PKI_API_NAME, false},
    [PKI_KUBE_PROXY] = {"kube-proxy", PKI_API_NAME, false},
    [PKI_NETWORK] = {"network", PKI_API_NAME, false},
    [PKI_ADMIN] = {"admin", PKI_API_NAME, true},
    [PKI_ETCD] = {"etcd", NULL, true},
    [PKI_AGENT] = {"agent", NULL, true},
};

const struct pki_copy pki_copies[PKI_COPIES] = {
    {PKI_APISERVER, PKI_OF_CLUSTER, "ca.crt", false},
    {PKI_APISERVER, PKI_OF_ETCD, "etcd-ca.crt", false},
    {PKI_APISERVER, PKI_OF_FRONT_PROXY, "front-proxy-ca.crt", false},
    {PKI_CONTROLLER_MANAGER, PKI_OF_CLUSTER, "ca.crt", false},
    {PKI_CONTROLLER_MANAGER, PKI_OF_CLUSTER, "signing.crt", true},
    {PKI_CONTROLLER_MANAGER, PKI_OF_FRONT_PROXY, "front-proxy-ca.crt", false},
    {PKI_SCHEDULER, PKI_OF_CLUSTER, "ca.crt", false},
    {PKI_KUBELET, PKI_OF_CLUSTER, "ca.crt", false},
    {PKI_KUBE_PROXY, PKI_OF_CLUSTER, "ca.crt", false},
    {PKI_NETWORK, PKI_OF_CLUSTER, "ca.crt", false},
    {PKI_ADMIN, PKI_OF_CLUSTER, "ca.crt", false},
    {PKI_ADMIN, PKI_OF_ETCD, "etcd-ca.crt", false},
    {PKI_ETCD, PKI_OF_ETCD, "ca.crt", false},
};

const struct pki_leaf pki_leaves[PKI_LEAVES] = {
    {PKI_APISERVER, PKI_OF_CLUSTER, "tls", "kube-apiserver", NULL, PKI_API_NAMES, true, false},
    {PKI_APISERVER, PKI_OF_CLUSTER, "kubelet-client", "kube-apiserver-kubelet-client", "system:masters",
     PKI_NO_NAMES, false, true},
    {PKI_APISERVER, PKI_OF_ETCD, "etcd-client", "kube-apiserver", NULL, PKI_NO_NAMES, false, true},
    {PKI_APISERVER, PKI_OF_FRONT_PROXY, "front-proxy-client", "front-proxy-client", NULL, PKI_NO_NAMES, false,
     true},
    {PKI_CONTROLLER_MANAGER, PKI_OF_CLUSTER, "client", "system:kube-controller-manager", NULL, PKI_NO_NAMES,
     false, true},
    {PKI_SCHEDULER, PKI_OF_CLUSTER, "client", "system:kube-scheduler", NULL, PKI_NO_NAMES, false, true},
    {PKI_KUBELET, PKI_OF_CLUSTER, "client", "system:node:%s", "system:nodes", PKI_NO_NAMES, false, true},
    {PKI_KUBELET, PKI_OF_CLUSTER, "server", "%s", NULL, PKI_NODE_NAMES, true, false},
    {PKI_KUBE_PROXY, PKI_OF_CLUSTER, "client", "system:kube-proxy", NULL, PKI_NO_NAMES, false, true},
    {PKI_NETWORK, PKI_OF_CLUSTER, "client", "bake:network", "bake:network", PKI_NO_NAMES, false, true},
    {PKI_ADMIN, PKI_OF_CLUSTER, "client", "admin", "system:masters", PKI_NO_NAMES, false, true},
    {PKI_ADMIN, PKI_OF_ETCD, "etcd-client", "admin", NULL, PKI_NO_NAMES, false, true},
    {PKI_ETCD, PKI_OF_ETCD, "server", "%s", NULL, PKI_MEMBER_NAMES, true, true},
    {PKI_ETCD, PKI_OF_ETCD, "peer", "%s", NULL, PKI_MEMBER_NAMES, true, true},
};

void pki_service_address(const struct node_metadata *metadata, unsigned nth, char ret[static VALUE_IP_CAP])
{
    char base[VALUE_CIDR_CAP];
    struct in_addr address = {0};
    snprintf(base, sizeof base, "%.*s", (int)strcspn(metadata->service_cidr, "/"), metadata->service_cidr);
    (void)inet_pton(AF_INET, base, &address);
    address.s_addr = htonl(ntohl(address.s_addr) + nth);
    (void)inet_ntop(AF_INET, &address, ret, VALUE_IP_CAP);
}

static void add_name(struct pki_wanted *w, const char *name)
{
    for (size_t i = 0; i < w->spec.name_count; i++)
        if (strcmp(w->spec.names[i], name) == 0)
            return;
    if (w->spec.name_count < X509_NAMES_MAX)
        w->spec.names[w->spec.name_count++] = name;
}

static void add_api_names(struct pki_wanted *w, const struct node_metadata *m)
{
    static const char *const fixed[] = {"kubernetes", "kubernetes.default", "kubernetes.default.svc",
                                        PKI_API_NAME, "localhost",          "127.0.0.1"};
    snprintf(w->full, sizeof w->full, "kubernetes.default.svc.%s", m->domain);
    pki_service_address(m, 1, w->service);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        add_name(w, fixed[i]);
    add_name(w, w->full);
    add_name(w, w->service);
    add_name(w, m->name);
    add_name(w, m->ip);
    for (size_t i = 0; i < m->api_name_count; i++)
        add_name(w, m->api_names[i]);
}

void pki_want(const struct pki_leaf *leaf, const struct node_metadata *m, struct pki_wanted *ret)
{
    const char *mark = strstr(leaf->common_name, "%s");
    *ret = (struct pki_wanted){
        .spec = {.organization = leaf->organization, .server = leaf->server, .client = leaf->client}};
    snprintf(ret->common_name, sizeof ret->common_name, "%.*s%s",
             mark ? (int)(mark - leaf->common_name) : (int)strlen(leaf->common_name), leaf->common_name,
             mark ? m->name : "");
    ret->spec.common_name = ret->common_name;
    if (leaf->names == PKI_API_NAMES) {
        add_api_names(ret, m);
    } else if (leaf->names != PKI_NO_NAMES) {
        add_name(ret, m->name);
        add_name(ret, m->ip);
    }
    if (leaf->names == PKI_MEMBER_NAMES) {
        add_name(ret, "localhost");
        add_name(ret, "127.0.0.1");
    }
}

bool pki_has(const struct node_metadata *metadata, enum pki_folder folder, bool is_etcd)
{
    return metadata->role == NODE_ROLE_NODE || (folders[folder].witness && (folder != PKI_ADMIN || is_etcd));
}

void pki_folder_path(enum pki_folder folder, char ret[static PATH_CAP])
{
    snprintf(ret, PATH_CAP, "%s/%s", PKI_DIR, folders[folder].name);
}

void pki_path(enum pki_folder folder, const char *file, const char *suffix, char ret[static PATH_CAP])
{
    snprintf(ret, PATH_CAP, "%s/%s/%s%s", PKI_DIR, folders[folder].name, file, suffix);
}

/* Names files instead of holding keys: clients read the files again after a renewal. */
void pki_kubeconfig(const struct node_metadata *metadata, enum pki_folder folder, struct buf *ret)
{
    const char *cluster = metadata->cluster_name, *user = folders[folder].name;
    if (!folders[folder].server)
        return;
    buf_printf(ret,
               "apiVersion: v1\n"
               "kind: Config\n"
               "clusters:\n"
               "  - name: %s\n"
               "    cluster:\n"
               "      server: https://%s:%d\n"
               "      certificate-authority: %s/%s/ca.crt\n",
               cluster, folders[folder].server, PKI_API_PORT, PKI_DIR, user);
    buf_printf(ret,
               "users:\n"
               "  - name: %s\n"
               "    user:\n"
               "      client-certificate: %s/%s/client.crt\n"
               "      client-key: %s/%s/client.key\n",
               user, PKI_DIR, user, PKI_DIR, user);
    buf_printf(ret,
               "contexts:\n"
               "  - name: %s@%s\n"
               "    context:\n"
               "      cluster: %s\n"
               "      user: %s\n"
               "current-context: %s@%s\n",
               user, cluster, cluster, user, user, cluster);
}

static void add_key(const char base64[static PKI_KEY_BASE64], struct buf *ret)
{
    buf_printf(ret,
               "      - secretbox:\n"
               "          keys:\n"
               "            - name: key1\n"
               "              secret: %.*s\n",
               PKI_KEY_BASE64, base64);
}

/* Source: Kubernetes, "Encrypting Secret Data at Rest", EncryptionConfiguration. Both keys have one name,
 * because the name is stored with each Secret, and each may be the only key later: a provider whose key does
 * not open a value is passed over. "identity", last, only reads what was written before there was a key. */
void pki_encryption(const char base64[static PKI_KEY_BASE64], const char *other, struct buf *ret)
{
    buf_str(ret, "apiVersion: apiserver.config.k8s.io/v1\n"
                 "kind: EncryptionConfiguration\n"
                 "resources:\n"
                 "  - resources: [secrets]\n"
                 "    providers:\n");
    add_key(base64, ret);
    if (other)
        add_key(other, ret);
    buf_str(ret, "      - identity: {}\n");
}

/* Source: Kubernetes, "Authenticating", AuthenticationConfiguration. v1beta1 is what 1.32 and 1.33 know, too;
 * kubelet and load balancers ask these three paths. */
void pki_authentication(struct buf *ret)
{
    buf_str(ret, "apiVersion: apiserver.config.k8s.io/v1beta1\n"
                 "kind: AuthenticationConfiguration\n"
                 "anonymous:\n"
                 "  enabled: true\n"
                 "  conditions:\n"
                 "    - path: /livez\n"
                 "    - path: /readyz\n"
                 "    - path: /healthz\n");
}
