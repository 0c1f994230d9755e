#include "agent/pki/pki.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <sodium.h>

#include "agent/pki/list.h"

struct work {
    const struct root *root;
    const struct metadata *metadata;
    const struct secret *secret;
    time_t now;
    unsigned changed;
    struct x509_pair authorities[PKI_AUTHORITIES];
    struct err *err;
};

static void free_work(struct work *work)
{
    for (size_t i = 0; i < PKI_AUTHORITIES; i++)
        x509_pair_free(&work->authorities[i]);
}
#define cleanup_work cleanup(free_work)

/* Writes the file unless it is there with this content and mode. */
static int keep(struct work *work, enum pki_folder folder, const char *file, const char *suffix,
                const struct buf *text)
{
    char path[PATH_CAP];
    bool changed = false;
    pki_path(folder, file, suffix, path);
    if (buf_check(text, path, work->err) < 0 ||
        root_keep(work->root, path, text->data, text->len, 0600, &changed, work->err) < 0)
        return -1;
    if (changed)
        work->changed |= 1U << folder;
    return 0;
}

static int issue(struct work *work, const struct pki_leaf *leaf, struct buf *cert, struct buf *key)
{
    struct pki_wanted w;
    cleanup_x509_pair struct x509_pair made = {0};
    pki_want(leaf, work->metadata, &w);
    if (x509_issue(&work->authorities[leaf->authority], &w.spec, work->now, &made, work->err) < 0 ||
        x509_write_cert(made.cert, cert, work->err) < 0 || x509_write_key(made.key, key, work->err) < 0)
        return -1;
    return 0;
}

/* The key first: a run that dies in between leaves a pair that does not fit, and the next one makes both again. A pair that
 * fits is kept too, for its files' modes. */
static int write_leaf(struct work *work, const struct pki_leaf *leaf)
{
    cleanup_buf struct buf had_cert = BUF_INIT(PKI_FILE_MAX), cert = BUF_INIT(PKI_FILE_MAX);
    cleanup_secret_buf struct buf had_key = BUF_INIT(PKI_FILE_MAX);
    cleanup_secret_buf struct buf key = BUF_INIT(PKI_FILE_MAX);
    bool fits = pki_leaf_fits(work->root, leaf, work->authorities[leaf->authority].cert, work->metadata,
                              work->now, (time_t)X509_RENEW_DAYS * 86400, &had_cert, &had_key);
    if (!fits && issue(work, leaf, &cert, &key) < 0)
        return -1;
    return keep(work, leaf->folder, leaf->file, ".key", fits ? &had_key : &key) < 0 ||
                   keep(work, leaf->folder, leaf->file, ".crt", fits ? &had_cert : &cert) < 0
               ? -1
               : 0;
}

static void derive(const struct work *work, const char *label, unsigned char ret[SECRET_KEY_SIZE])
{
    secret_derive(work->secret, work->metadata->cluster_name, label, ret);
}

static int make_authorities(struct work *work)
{
    for (size_t i = 0; i < PKI_AUTHORITIES; i++) {
        unsigned char seed[SECRET_KEY_SIZE];
        derive(work, pki_authorities[i].label, seed);
        int r = x509_authority(seed, pki_authorities[i].common_name, &work->authorities[i], work->err);
        sodium_memzero(seed, sizeof seed);
        if (r < 0)
            return -1;
    }
    return 0;
}

static int write_copies(struct work *work)
{
    for (size_t i = 0; i < PKI_COPIES; i++) {
        cleanup_buf struct buf text = BUF_INIT(PKI_FILE_MAX);
        if (!pki_has(work->metadata, pki_copies[i].folder, pki_copies[i].authority == PKI_OF_ETCD))
            continue;
        if (x509_write_cert(work->authorities[pki_copies[i].authority].cert, &text, work->err) < 0 ||
            keep(work, pki_copies[i].folder, pki_copies[i].file, "", &text) < 0)
            return -1;
    }
    return 0;
}

static int write_token_keys(struct work *work)
{
    unsigned char seed[SECRET_KEY_SIZE];
    cleanup_secret_buf struct buf key = BUF_INIT(PKI_FILE_MAX);
    cleanup_buf struct buf public = BUF_INIT(PKI_FILE_MAX);
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

static int write_encryption(struct work *work)
{
    unsigned char bytes[SECRET_KEY_SIZE];
    char base64[PKI_KEY_BASE64 + 1];
    cleanup_secret_buf struct buf text = BUF_INIT(PKI_FILE_MAX);
    derive(work, "secrets at rest", bytes);
    sodium_bin2base64(base64, sizeof base64, bytes, sizeof bytes, sodium_base64_VARIANT_ORIGINAL);
    pki_encryption(base64, &text);
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
    cleanup_secret_buf struct buf peer = BUF_INIT(PKI_FILE_MAX);
    peer_key(work->metadata, work->secret, &peer);
    if (keep(work, PKI_AGENT, "peer.key", "", &peer) < 0)
        return -1;
    if (work->metadata->role == METADATA_WITNESS)
        return 0;
    cleanup_secret_buf struct buf ca = BUF_INIT(PKI_FILE_MAX);
    if (x509_write_key(work->authorities[PKI_OF_CLUSTER].key, &ca, work->err) < 0 ||
        keep(work, PKI_CONTROLLER_MANAGER, "ca.key", "", &ca) < 0 || write_token_keys(work) < 0)
        return -1;
    return write_encryption(work);
}

/* Last, since units start by the kubeconfigs' being there. */
static int write_kubeconfigs(struct work *work)
{
    for (enum pki_folder i = 0; i < PKI_FOLDERS; i++) {
        cleanup_buf struct buf text = BUF_INIT(PKI_FILE_MAX);
        pki_kubeconfig(work->metadata, i, &text);
        if ((text.len > 0 || text.failed) && pki_has(work->metadata, i, false) &&
            keep(work, i, "kubeconfig", "", &text) < 0)
            return -1;
    }
    return 0;
}

/* New folders are made with this mode; one that is there already, whoever made it, gets it before a key does. */
static int close_folder(struct work *work, const char *path)
{
    struct stat st;
    cleanup_close int fd = root_openat(work->root, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0 || ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) < 0))
        return err_sys(work->err, errno, "close the folder %s to others", path);
    return 0;
}

static int close_folders(struct work *work)
{
    char path[PATH_CAP];
    for (enum pki_folder i = 0; i < PKI_FOLDERS; i++) {
        pki_folder_path(i, path);
        if (close_folder(work, path) < 0)
            return -1;
    }
    return close_folder(work, PKI_DIR);
}

static int drop(struct work *work, enum pki_folder folder, const char *file, const char *suffix)
{
    char path[PATH_CAP];
    pki_path(folder, file, suffix, path);
    return root_remove(work->root, path, work->err);
}

/* What a machine that was a node has and a witness must not have: above all the keys that make it any node or user. */
static int drop_kubernetes(struct work *work)
{
    static const struct {
        enum pki_folder folder;
        const char *file;
    } all[] = {{PKI_CONTROLLER_MANAGER, "ca.key"},
               {PKI_CONTROLLER_MANAGER, "sa.key"},
               {PKI_APISERVER, "sa.key"},
               {PKI_APISERVER, "sa.pub"},
               {PKI_APISERVER, "encryption.yaml"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (drop(work, all[i].folder, all[i].file, "") < 0)
            return -1;
    for (enum pki_folder i = 0; i < PKI_FOLDERS; i++)
        if (drop(work, i, "kubeconfig", "") < 0)
            return -1;
    for (size_t i = 0; i < PKI_LEAVES; i++)
        if (!pki_has(work->metadata, pki_leaves[i].folder, pki_leaves[i].authority == PKI_OF_ETCD) &&
            (drop(work, pki_leaves[i].folder, pki_leaves[i].file, ".key") < 0 ||
             drop(work, pki_leaves[i].folder, pki_leaves[i].file, ".crt") < 0))
            return -1;
    for (size_t i = 0; i < PKI_COPIES; i++)
        if (!pki_has(work->metadata, pki_copies[i].folder, pki_copies[i].authority == PKI_OF_ETCD) &&
            drop(work, pki_copies[i].folder, pki_copies[i].file, "") < 0)
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
    if (close_folders(&work) < 0 || make_authorities(&work) < 0 || write_copies(&work) < 0 ||
        write_derived(&work) < 0)
        return err_wrap(err, "keys");
    for (size_t i = 0; i < PKI_LEAVES; i++)
        if (pki_has(metadata, pki_leaves[i].folder, pki_leaves[i].authority == PKI_OF_ETCD) &&
            write_leaf(&work, &pki_leaves[i]) < 0)
            return err_wrap(err, "certificates");
    if (write_kubeconfigs(&work) < 0)
        return err_wrap(err, "kubeconfigs");
    if (metadata->role == METADATA_WITNESS && drop_kubernetes(&work) < 0)
        return err_wrap(err, "keys of a node");
    *ret_changed = work.changed;
    return 0;
}

bool pki_same_secret(const struct root *root, const struct metadata *metadata, const struct secret *secret)
{
    cleanup_secret_buf struct buf has = BUF_INIT(PKI_FILE_MAX), wants = BUF_INIT(PKI_FILE_MAX);
    bool found = false;
    struct err unread;
    if (root_read(root, PKI_PEER_KEY, &has, &found, &unread) < 0 || !found)
        return true;
    peer_key(metadata, secret, &wants);
    return has.len == wants.len && has.data && wants.data &&
           sodium_memcmp(has.data, wants.data, has.len) == 0;
}
