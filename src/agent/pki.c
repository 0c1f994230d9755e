#include "agent/pki.h"

#include <arpa/inet.h>
#include <string.h>

#include <openssl/crypto.h>
#include <sodium.h>

#include "agent/x509.h"
#include "base/path.h"

enum { FILE_MAX = 16 << 10, TEXT_CAP = 4096 };

/* The authorities. Each signs for one kind of trust: a client of the API is none of etcd's. */
enum authority { CLUSTER, ETCD, FRONT_PROXY, AUTHORITIES };
static const struct {
    const char *label, *common_name;
} authorities[AUTHORITIES] = {
    [CLUSTER] = {"ca cluster", "kubernetes"},
    [ETCD] = {"ca etcd", "etcd"},
    [FRONT_PROXY] = {"ca front-proxy", "front-proxy"},
};

static const struct {
    const char *name;
    const char *server; /* of its kubeconfig: NULL when it has none */
    bool witness;       /* a witness has it too */
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

/* Copies of an authority's certificate. */
static const struct {
    enum pki_folder folder;
    const char *file;
    enum authority authority;
} copies[] = {
    {PKI_APISERVER, "ca.crt", CLUSTER},
    {PKI_APISERVER, "etcd-ca.crt", ETCD},
    {PKI_APISERVER, "front-proxy-ca.crt", FRONT_PROXY},
    {PKI_CONTROLLER_MANAGER, "ca.crt", CLUSTER},
    {PKI_CONTROLLER_MANAGER, "front-proxy-ca.crt", FRONT_PROXY},
    {PKI_SCHEDULER, "ca.crt", CLUSTER},
    {PKI_KUBELET, "ca.crt", CLUSTER},
    {PKI_KUBE_PROXY, "ca.crt", CLUSTER},
    {PKI_NETWORK, "ca.crt", CLUSTER},
    {PKI_NETWORK, "etcd-ca.crt", ETCD},
    {PKI_ADMIN, "ca.crt", CLUSTER},
    {PKI_ADMIN, "etcd-ca.crt", ETCD},
    {PKI_ETCD, "ca.crt", ETCD},
};

enum names { NO_NAMES, API_NAMES, NODE_NAMES, MEMBER_NAMES };

/* "%s" in a common name is the node's. */
static const struct leaf {
    enum pki_folder folder;
    const char *file; /* without .crt and .key */
    enum authority authority;
    const char *common_name, *organization;
    bool server, client;
    enum names names;
} leaves[] = {
    {PKI_APISERVER, "tls", CLUSTER, "kube-apiserver", NULL, true, false, API_NAMES},
    {PKI_APISERVER, "kubelet-client", CLUSTER, "kube-apiserver-kubelet-client", "system:masters", false, true,
     NO_NAMES},
    {PKI_APISERVER, "etcd-client", ETCD, "kube-apiserver", NULL, false, true, NO_NAMES},
    {PKI_APISERVER, "front-proxy-client", FRONT_PROXY, "front-proxy-client", NULL, false, true, NO_NAMES},
    {PKI_CONTROLLER_MANAGER, "client", CLUSTER, "system:kube-controller-manager", NULL, false, true,
     NO_NAMES},
    {PKI_SCHEDULER, "client", CLUSTER, "system:kube-scheduler", NULL, false, true, NO_NAMES},
    {PKI_KUBELET, "client", CLUSTER, "system:node:%s", "system:nodes", false, true, NO_NAMES},
    {PKI_KUBELET, "server", CLUSTER, "%s", NULL, true, false, NODE_NAMES},
    {PKI_KUBE_PROXY, "client", CLUSTER, "system:kube-proxy", NULL, false, true, NO_NAMES},
    {PKI_NETWORK, "client", CLUSTER, "bake:network", "bake:network", false, true, NO_NAMES},
    {PKI_NETWORK, "etcd-client", ETCD, "bake:network", NULL, false, true, NO_NAMES},
    {PKI_ADMIN, "client", CLUSTER, "admin", "system:masters", false, true, NO_NAMES},
    {PKI_ADMIN, "etcd-client", ETCD, "admin", NULL, false, true, NO_NAMES},
    {PKI_ETCD, "server", ETCD, "%s", NULL, true, true, MEMBER_NAMES},
    {PKI_ETCD, "peer", ETCD, "%s", NULL, true, true, MEMBER_NAMES},
};

struct work {
    const struct root *root;
    const struct metadata *metadata;
    const struct secret *secret;
    time_t now;
    unsigned changed;
    struct x509_pair authorities[AUTHORITIES];
    struct err *err;
};

static void free_work(struct work *work)
{
    for (size_t i = 0; i < AUTHORITIES; i++)
        x509_pair_free(&work->authorities[i]);
}
#define cleanup_work cleanup(free_work)

/* The file may hold a key. */
static void free_secret_buf(struct buf *buf)
{
    if (buf->data)
        sodium_memzero(buf->data, buf->len);
    buf_free(buf);
}
#define cleanup_secret_buf cleanup(free_secret_buf)

/* A witness has no use for what is Kubernetes'. */
static bool wanted(const struct work *work, enum pki_folder folder, bool is_etcd)
{
    return work->metadata->role == METADATA_NODE ||
           (folders[folder].witness && (folder != PKI_ADMIN || is_etcd));
}

static void path_of(enum pki_folder folder, const char *file, const char *suffix, char ret[static PATH_CAP])
{
    snprintf(ret, PATH_CAP, "%s/%s/%s%s", PKI_DIR, folders[folder].name, file, suffix);
}

/* Writes the file unless it is there with this content and mode. */
static int keep(struct work *work, enum pki_folder folder, const char *file, const char *suffix,
                const struct buf *text)
{
    char path[PATH_CAP];
    bool changed = false;
    path_of(folder, file, suffix, path);
    if (buf_check(text, path, work->err) < 0 ||
        root_keep(work->root, path, text->data, text->len, 0600, &changed, work->err) < 0)
        return -1;
    if (changed)
        work->changed |= 1U << folder;
    return 0;
}

void pki_service_address(const struct metadata *metadata, unsigned nth, char ret[static VALUE_IP_CAP])
{
    char base[VALUE_CIDR_CAP];
    struct in_addr address = {0};
    snprintf(base, sizeof base, "%.*s", (int)strcspn(metadata->service_cidr, "/"), metadata->service_cidr);
    (void)inet_pton(AF_INET, base, &address);
    address.s_addr = htonl(ntohl(address.s_addr) + nth);
    (void)inet_ntop(AF_INET, &address, ret, VALUE_IP_CAP);
}

/* What a certificate is issued for; the strings are LEAF's, the metadata's and those of this. */
struct wanted_leaf {
    struct x509_leaf spec;
    char common_name[VALUE_NAME_CAP + 16];
    char service[VALUE_IP_CAP];
    char full[VALUE_DOMAIN_CAP + 32];
};

static void add_name(struct wanted_leaf *w, const char *name)
{
    for (size_t i = 0; i < w->spec.name_count; i++)
        if (strcmp(w->spec.names[i], name) == 0)
            return;
    if (w->spec.name_count < X509_NAMES_MAX)
        w->spec.names[w->spec.name_count++] = name;
}

static void add_api_names(struct wanted_leaf *w, const struct metadata *m)
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

static void want_leaf(const struct leaf *leaf, const struct metadata *m, struct wanted_leaf *ret)
{
    const char *mark = strstr(leaf->common_name, "%s");
    *ret = (struct wanted_leaf){
        .spec = {.organization = leaf->organization, .server = leaf->server, .client = leaf->client}};
    snprintf(ret->common_name, sizeof ret->common_name, "%.*s%s",
             mark ? (int)(mark - leaf->common_name) : (int)strlen(leaf->common_name), leaf->common_name,
             mark ? m->name : "");
    ret->spec.common_name = ret->common_name;
    if (leaf->names == API_NAMES) {
        add_api_names(ret, m);
    } else if (leaf->names != NO_NAMES) {
        add_name(ret, m->name);
        add_name(ret, m->ip);
    }
    if (leaf->names == MEMBER_NAMES) {
        add_name(ret, "localhost");
        add_name(ret, "127.0.0.1");
    }
}

/* *RET_FITS: the pair on disk is what LEAF says and has SPARE_S seconds left. */
static int look(struct work *work, const struct leaf *leaf, const X509 *authority,
                const struct wanted_leaf *w, time_t spare_s, bool *ret_fits)
{
    cleanup_buf struct buf cert = BUF_INIT(FILE_MAX);
    cleanup_secret_buf struct buf key = BUF_INIT(FILE_MAX);
    char path[PATH_CAP];
    bool has_cert = false, has_key = false;
    time_t end;
    struct err unread;
    path_of(leaf->folder, leaf->file, ".crt", path);
    /* a file that cannot be read, being a folder or too large, is one to replace */
    if (root_read(work->root, path, &cert, &has_cert, &unread) < 0)
        has_cert = false;
    path_of(leaf->folder, leaf->file, ".key", path);
    if (root_read(work->root, path, &key, &has_key, &unread) < 0)
        has_key = false;
    *ret_fits = has_cert && has_key && x509_fits(&cert, &key, authority, &w->spec, work->now, spare_s, &end);
    return 0;
}

static int write_leaf(struct work *work, const struct leaf *leaf)
{
    struct wanted_leaf w;
    cleanup_x509_pair struct x509_pair made = {0};
    cleanup_buf struct buf cert = BUF_INIT(FILE_MAX);
    cleanup_secret_buf struct buf key = BUF_INIT(FILE_MAX);
    const struct x509_pair *authority = &work->authorities[leaf->authority];
    bool fits = false;
    want_leaf(leaf, work->metadata, &w);
    if (look(work, leaf, authority->cert, &w, (time_t)X509_RENEW_DAYS * 86400, &fits) < 0)
        return -1;
    if (fits)
        return 0;
    if (x509_issue(authority, &w.spec, work->now, &made, work->err) < 0 ||
        x509_write_cert(made.cert, &cert, work->err) < 0 || x509_write_key(made.key, &key, work->err) < 0)
        return -1;
    return keep(work, leaf->folder, leaf->file, ".key", &key) < 0 ||
                   keep(work, leaf->folder, leaf->file, ".crt", &cert) < 0
               ? -1
               : 0;
}

static void derive(const struct work *work, const char *label, unsigned char ret[SECRET_KEY_SIZE])
{
    secret_derive(work->secret, work->metadata->cluster_name, label, ret);
}

static int make_authorities(struct work *work)
{
    for (size_t i = 0; i < AUTHORITIES; i++) {
        unsigned char seed[SECRET_KEY_SIZE];
        derive(work, authorities[i].label, seed);
        int r = x509_authority(seed, authorities[i].common_name, &work->authorities[i], work->err);
        sodium_memzero(seed, sizeof seed);
        if (r < 0)
            return -1;
    }
    return 0;
}

static int write_copies(struct work *work)
{
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
        cleanup_buf struct buf text = BUF_INIT(FILE_MAX);
        if (!wanted(work, copies[i].folder, copies[i].authority == ETCD))
            continue;
        if (x509_write_cert(work->authorities[copies[i].authority].cert, &text, work->err) < 0 ||
            keep(work, copies[i].folder, copies[i].file, "", &text) < 0)
            return -1;
    }
    return 0;
}

static int write_token_keys(struct work *work)
{
    unsigned char seed[SECRET_KEY_SIZE];
    cleanup_secret_buf struct buf key = BUF_INIT(FILE_MAX);
    cleanup_buf struct buf public = BUF_INIT(FILE_MAX);
    EVP_PKEY *made = NULL;
    derive(work, "service accounts", seed);
    int r = x509_token_key(seed, &made, work->err);
    sodium_memzero(seed, sizeof seed);
    if (r == 0 &&
        (x509_write_key(made, &key, work->err) < 0 || x509_write_public(made, &public, work->err) < 0))
        r = -1;
    EVP_PKEY_free(made);
    if (r < 0 || keep(work, PKI_APISERVER, "sa.key", "", &key) < 0 ||
        keep(work, PKI_APISERVER, "sa.pub", "", &public) < 0)
        return -1;
    return keep(work, PKI_CONTROLLER_MANAGER, "sa.key", "", &key);
}

/* Source: Kubernetes, "Encrypting Secret Data at Rest", EncryptionConfiguration. "identity" reads what was written before
 * there was a key, and writes nothing. */
static int write_encryption(struct work *work)
{
    unsigned char bytes[SECRET_KEY_SIZE];
    char base64[sodium_base64_ENCODED_LEN(SECRET_KEY_SIZE, sodium_base64_VARIANT_ORIGINAL)];
    cleanup_secret_buf struct buf text = BUF_INIT(FILE_MAX);
    derive(work, "secrets at rest", bytes);
    sodium_bin2base64(base64, sizeof base64, bytes, sizeof bytes, sodium_base64_VARIANT_ORIGINAL);
    buf_printf(&text,
               "apiVersion: apiserver.config.k8s.io/v1\n"
               "kind: EncryptionConfiguration\n"
               "resources:\n"
               "  - resources: [secrets]\n"
               "    providers:\n"
               "      - secretbox:\n"
               "          keys:\n"
               "            - name: key1\n"
               "              secret: %s\n"
               "      - identity: {}\n",
               base64);
    sodium_memzero(bytes, sizeof bytes);
    sodium_memzero(base64, sizeof base64);
    return keep(work, PKI_APISERVER, "encryption.yaml", "", &text);
}

static void peer_key(const struct metadata *metadata, const struct secret *secret, struct buf *ret)
{
    unsigned char bytes[SECRET_KEY_SIZE];
    char hex[2 * SECRET_KEY_SIZE + 1];
    secret_derive(secret, metadata->cluster_name, PKI_PEER_LABEL, bytes);
    sodium_bin2hex(hex, sizeof hex, bytes, sizeof bytes);
    buf_str(ret, hex);
    sodium_memzero(bytes, sizeof bytes);
    sodium_memzero(hex, sizeof hex);
}

static int write_derived(struct work *work)
{
    cleanup_secret_buf struct buf peer = BUF_INIT(FILE_MAX);
    peer_key(work->metadata, work->secret, &peer);
    if (keep(work, PKI_AGENT, "peer.key", "", &peer) < 0)
        return -1;
    if (work->metadata->role == METADATA_WITNESS)
        return 0;
    cleanup_secret_buf struct buf ca = BUF_INIT(FILE_MAX);
    if (x509_write_key(work->authorities[CLUSTER].key, &ca, work->err) < 0 ||
        keep(work, PKI_CONTROLLER_MANAGER, "ca.key", "", &ca) < 0 || write_token_keys(work) < 0)
        return -1;
    return write_encryption(work);
}

/* By file and not by value: clients read the files again when they were renewed. */
static int write_kubeconfig(struct work *work, enum pki_folder folder)
{
    cleanup_buf struct buf text = BUF_INIT(TEXT_CAP);
    const char *cluster = work->metadata->cluster_name, *user = folders[folder].name;
    buf_printf(&text,
               "apiVersion: v1\n"
               "kind: Config\n"
               "clusters:\n"
               "  - name: %s\n"
               "    cluster:\n"
               "      server: https://%s:%d\n"
               "      certificate-authority: %s/%s/ca.crt\n",
               cluster, folders[folder].server, PKI_API_PORT, PKI_DIR, user);
    buf_printf(&text,
               "users:\n"
               "  - name: %s\n"
               "    user:\n"
               "      client-certificate: %s/%s/client.crt\n"
               "      client-key: %s/%s/client.key\n",
               user, PKI_DIR, user, PKI_DIR, user);
    buf_printf(&text,
               "contexts:\n"
               "  - name: %s@%s\n"
               "    context:\n"
               "      cluster: %s\n"
               "      user: %s\n"
               "current-context: %s@%s\n",
               user, cluster, cluster, user, user, cluster);
    return keep(work, folder, "kubeconfig", "", &text);
}

/* Last, since units start by the kubeconfigs' being there. */
static int write_kubeconfigs(struct work *work)
{
    for (enum pki_folder i = 0; i < PKI_FOLDERS; i++)
        if (folders[i].server && wanted(work, i, false) && write_kubeconfig(work, i) < 0)
            return -1;
    return 0;
}

int pki_write(const struct root *root, const struct metadata *metadata, const struct secret *secret,
              time_t now, unsigned *ret_changed, struct err *err)
{
    cleanup_work struct work work = {
        .root = root, .metadata = metadata, .secret = secret, .now = now, .err = err};
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        return err_set(err, ERR_INTERNAL, 0, "OpenSSL does not start");
    if (make_authorities(&work) < 0 || write_copies(&work) < 0 || write_derived(&work) < 0)
        return err_wrap(err, "keys");
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++)
        if (wanted(&work, leaves[i].folder, leaves[i].authority == ETCD) && write_leaf(&work, &leaves[i]) < 0)
            return err_wrap(err, "certificates");
    if (write_kubeconfigs(&work) < 0)
        return err_wrap(err, "kubeconfigs");
    *ret_changed = work.changed;
    return 0;
}

/* The authority's certificate as the folder has it. */
static int read_authority(struct work *work, const struct leaf *leaf)
{
    cleanup_buf struct buf text = BUF_INIT(FILE_MAX);
    char path[PATH_CAP];
    bool found = false;
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++)
        if (copies[i].folder == leaf->folder && copies[i].authority == leaf->authority)
            path_of(copies[i].folder, copies[i].file, "", path);
    x509_pair_free(&work->authorities[leaf->authority]);
    if (root_read(work->root, path, &text, &found, work->err) < 0)
        return -1;
    if (found && text.data)
        work->authorities[leaf->authority].cert = x509_read_cert(text.data, text.len);
    return work->authorities[leaf->authority].cert
               ? 0
               : err_set(work->err, ERR_VERIFY, 0, "%s: there is no certificate", path);
}

int pki_check(const struct root *root, const struct metadata *metadata, time_t now, struct err *err)
{
    cleanup_work struct work work = {.root = root, .metadata = metadata, .now = now, .err = err};
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        return err_set(err, ERR_INTERNAL, 0, "OpenSSL does not start");
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
        const struct leaf *leaf = &leaves[i];
        struct wanted_leaf w;
        bool fits = false;
        if (!wanted(&work, leaf->folder, leaf->authority == ETCD))
            continue;
        want_leaf(leaf, metadata, &w);
        if (read_authority(&work, leaf) < 0 ||
            look(&work, leaf, work.authorities[leaf->authority].cert, &w, 0, &fits) < 0)
            return -1;
        if (!fits)
            return err_set(
                err, ERR_VERIFY, 0,
                "%s/%s/%s.crt is missing, expired or not this node's, and only the metadata server has the "
                "secret to make it again",
                PKI_DIR, folders[leaf->folder].name, leaf->file);
    }
    return 0;
}

bool pki_same_secret(const struct root *root, const struct metadata *metadata, const struct secret *secret)
{
    cleanup_secret_buf struct buf has = BUF_INIT(FILE_MAX), wants = BUF_INIT(FILE_MAX);
    bool found = false;
    struct err unread;
    if (root_read(root, PKI_PEER_KEY, &has, &found, &unread) < 0 || !found)
        return true;
    peer_key(metadata, secret, &wants);
    return has.len == wants.len && has.data && wants.data &&
           sodium_memcmp(has.data, wants.data, has.len) == 0;
}
