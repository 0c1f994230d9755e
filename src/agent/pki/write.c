#include "agent/pki/files.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <sodium.h>

#include "agent/pki/leaf.h"
#include "text/hex.h"

struct pki_writer {
    const struct root *root;
    const struct node_metadata *metadata;
    struct cluster_secret secrets[2]; /* the second one is unset but while the cluster changes its secret */
    size_t used;                      /* the one that signs */
    time_t now;
    unsigned changed;
    struct x509_pair authorities[2][PKI_AUTHORITIES];
    struct err *err;
};

static void free_writer(struct pki_writer *writer)
{
    for (size_t i = 0; i < 2; i++) {
        cluster_secret_clear(&writer->secrets[i]);
        for (size_t k = 0; k < PKI_AUTHORITIES; k++)
            x509_pair_free(&writer->authorities[i][k]);
    }
}
#define cleanup_pki_writer cleanup(free_writer)

/* Writes the file unless it has this content and mode already. */
static int keep_file(struct pki_writer *writer, enum pki_folder folder, const char *file, const char *suffix,
                     const struct buf *text)
{
    char path[PATH_CAP];
    bool changed = false;
    pki_path(folder, file, suffix, path);
    if (buf_check(text, path, writer->err) < 0 ||
        root_keep(writer->root, path, text->data, text->len, 0600, &changed, writer->err) < 0)
        return -1;
    if (changed)
        writer->changed |= 1U << folder;
    return 0;
}

static int issue(struct pki_writer *writer, const struct pki_leaf *leaf, struct buf *cert, struct buf *key)
{
    struct pki_wanted w;
    cleanup_x509_pair struct x509_pair made = {0};
    pki_want(leaf, writer->metadata, &w);
    if (x509_issue(&writer->authorities[writer->used][leaf->authority], &w.spec, writer->now, &made,
                   writer->err) < 0 ||
        x509_write_cert(made.cert, cert, writer->err) < 0 || x509_write_key(made.key, key, writer->err) < 0)
        return -1;
    return 0;
}

/* The key first: a run that dies in between leaves a pair that does not fit, and the next one makes both
 * again. A pair that fits is kept too, for its files' modes. */
static int write_leaf(struct pki_writer *writer, const struct pki_leaf *leaf)
{
    cleanup_buf struct buf had_cert = BUF_INIT(PKI_FILE_MAX), cert = BUF_INIT(PKI_FILE_MAX);
    cleanup_buf_wipe struct buf had_key = BUF_INIT(PKI_FILE_MAX);
    cleanup_buf_wipe struct buf key = BUF_INIT(PKI_FILE_MAX);
    bool fits =
        pki_leaf_fits(writer->root, leaf, writer->authorities[writer->used][leaf->authority].cert,
                      writer->metadata, writer->now, (time_t)X509_RENEW_DAYS * 86400, &had_cert, &had_key);
    if (!fits && issue(writer, leaf, &cert, &key) < 0)
        return -1;
    return keep_file(writer, leaf->folder, leaf->file, ".key", fits ? &had_key : &key) < 0 ||
                   keep_file(writer, leaf->folder, leaf->file, ".crt", fits ? &had_cert : &cert) < 0
               ? -1
               : 0;
}

static void derive(const struct pki_writer *writer, size_t which, const char *label,
                   unsigned char ret[DERIVED_KEY_SIZE])
{
    cluster_secret_derive(&writer->secrets[which], writer->metadata->cluster_name, label, ret);
}

static int make_authorities(struct pki_writer *writer, size_t which)
{
    for (size_t i = 0; writer->secrets[which].set && i < PKI_AUTHORITIES; i++) {
        unsigned char seed[DERIVED_KEY_SIZE];
        derive(writer, which, pki_authorities[i].label, seed);
        int r =
            x509_authority(seed, pki_authorities[i].common_name, &writer->authorities[which][i], writer->err);
        sodium_memzero(seed, sizeof seed);
        if (r < 0)
            return -1;
    }
    return 0;
}

static int write_copy(struct pki_writer *writer, const struct pki_copy *copy)
{
    cleanup_buf struct buf text = BUF_INIT(PKI_FILE_MAX);
    for (size_t i = 0; i < 2; i++)
        if (copy->alone ? i == writer->used : writer->secrets[i].set)
            if (x509_write_cert(writer->authorities[i][copy->authority].cert, &text, writer->err) < 0)
                return -1;
    return keep_file(writer, copy->folder, copy->file, "", &text);
}

static int write_copies(struct pki_writer *writer)
{
    for (size_t i = 0; i < PKI_COPIES; i++)
        if (pki_has(writer->metadata, pki_copies[i].folder, pki_copies[i].authority == PKI_OF_ETCD) &&
            write_copy(writer, &pki_copies[i]) < 0)
            return -1;
    return 0;
}

/* Adds the public key, and the key itself if KEY is not NULL. */
static int add_token_key(const struct pki_writer *writer, size_t which, struct buf *key, struct buf *public)
{
    unsigned char seed[DERIVED_KEY_SIZE];
    EVP_PKEY *made = NULL;
    derive(writer, which, "service accounts", seed);
    int r = x509_token_key(seed, &made, writer->err);
    sodium_memzero(seed, sizeof seed);
    if (r == 0 && ((key && x509_write_key(made, key, writer->err) < 0) ||
                   x509_write_public(made, public, writer->err) < 0))
        r = -1;
    EVP_PKEY_free(made);
    return r;
}

static int write_token_keys(struct pki_writer *writer)
{
    cleanup_buf_wipe struct buf key = BUF_INIT(PKI_FILE_MAX);
    cleanup_buf struct buf public = BUF_INIT(PKI_FILE_MAX);
    if (add_token_key(writer, writer->used, &key, &public) < 0 ||
        (writer->secrets[1].set && add_token_key(writer, 1 - writer->used, NULL, &public) < 0) ||
        keep_file(writer, PKI_APISERVER, "sa.key", "", &key) < 0 ||
        keep_file(writer, PKI_APISERVER, "sa.pub", "", &public) < 0)
        return -1;
    return keep_file(writer, PKI_CONTROLLER_MANAGER, "sa.key", "", &key);
}

static void encryption_key(const struct pki_writer *writer, size_t which, char ret[static PKI_KEY_BASE64 + 1])
{
    unsigned char bytes[DERIVED_KEY_SIZE];
    derive(writer, which, "secrets at rest", bytes);
    sodium_bin2base64(ret, PKI_KEY_BASE64 + 1, bytes, sizeof bytes, sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(bytes, sizeof bytes);
}

static int write_encryption(struct pki_writer *writer)
{
    char base64[2][PKI_KEY_BASE64 + 1];
    cleanup_buf_wipe struct buf text = BUF_INIT(PKI_FILE_MAX);
    encryption_key(writer, writer->used, base64[0]);
    encryption_key(writer, 1 - writer->used, base64[1]);
    pki_encryption(base64[0], writer->secrets[1].set ? base64[1] : NULL, &text);
    sodium_memzero(base64, sizeof base64);
    return keep_file(writer, PKI_APISERVER, "encryption.yaml", "", &text);
}

static int write_authentication(struct pki_writer *writer)
{
    cleanup_buf struct buf text = BUF_INIT(PKI_FILE_MAX);
    pki_authentication(&text);
    return keep_file(writer, PKI_APISERVER, "authentication.yaml", "", &text);
}

static void agent_key(const struct node_metadata *metadata, const struct cluster_secret *secret,
                      const char *label, struct buf *ret)
{
    unsigned char bytes[DERIVED_KEY_SIZE];
    char hex[2 * DERIVED_KEY_SIZE + 1];
    cluster_secret_derive(secret, metadata->cluster_name, label, bytes);
    sodium_bin2hex(hex, sizeof hex, bytes, sizeof bytes);
    buf_str(ret, hex);
    sodium_memzero(bytes, sizeof bytes);
    sodium_memzero(hex, sizeof hex);
}

static int write_derived(struct pki_writer *writer)
{
    cleanup_buf_wipe struct buf peer = BUF_INIT(PKI_FILE_MAX);
    cleanup_buf_wipe struct buf snapshot = BUF_INIT(PKI_FILE_MAX);
    agent_key(writer->metadata, &writer->secrets[0], PKI_PEER_LABEL, &peer);
    agent_key(writer->metadata, &writer->secrets[writer->used], PKI_SNAPSHOT_LABEL, &snapshot);
    if (keep_file(writer, PKI_AGENT, "peer.key", "", &peer) < 0 ||
        keep_file(writer, PKI_AGENT, "snapshot.key", "", &snapshot) < 0)
        return -1;
    if (writer->metadata->role == NODE_ROLE_WITNESS)
        return 0;
    cleanup_buf_wipe struct buf ca = BUF_INIT(PKI_FILE_MAX);
    if (x509_write_key(writer->authorities[writer->used][PKI_OF_CLUSTER].key, &ca, writer->err) < 0 ||
        keep_file(writer, PKI_CONTROLLER_MANAGER, "ca.key", "", &ca) < 0 || write_token_keys(writer) < 0 ||
        write_authentication(writer) < 0)
        return -1;
    return write_encryption(writer);
}

/* Last: units wait for the kubeconfigs to exist. */
static int write_kubeconfigs(struct pki_writer *writer)
{
    for (enum pki_folder i = 0; i < PKI_FOLDERS; i++) {
        cleanup_buf struct buf text = BUF_INIT(PKI_FILE_MAX);
        pki_kubeconfig(writer->metadata, i, &text);
        if ((text.len > 0 || text.failed) && pki_has(writer->metadata, i, false) &&
            keep_file(writer, i, "kubeconfig", "", &text) < 0)
            return -1;
    }
    return 0;
}

/* New folders get this mode; an existing one gets it before a key is written into it. */
static int close_folder(struct pki_writer *writer, const char *path)
{
    struct stat st;
    cleanup_close int fd = root_openat(writer->root, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0 || ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) < 0))
        return err_sys(writer->err, errno, "close the folder %s to others", path);
    return 0;
}

static int close_folders(struct pki_writer *writer)
{
    char path[PATH_CAP];
    for (enum pki_folder i = 0; i < PKI_FOLDERS; i++) {
        pki_folder_path(i, path);
        if (close_folder(writer, path) < 0)
            return -1;
    }
    return close_folder(writer, PKI_DIR);
}

static int remove_file(struct pki_writer *writer, enum pki_folder folder, const char *file,
                       const char *suffix)
{
    char path[PATH_CAP];
    pki_path(folder, file, suffix, path);
    return root_remove(writer->root, path, writer->err);
}

/* Removes what a witness that was a node must not keep, above all the keys that can impersonate any node or
 * user. */
static int remove_kubernetes(struct pki_writer *writer)
{
    static const struct {
        enum pki_folder folder;
        const char *file;
    } all[] = {{PKI_CONTROLLER_MANAGER, "ca.key"},
               {PKI_CONTROLLER_MANAGER, "sa.key"},
               {PKI_APISERVER, "sa.key"},
               {PKI_APISERVER, "sa.pub"},
               {PKI_APISERVER, "authentication.yaml"},
               {PKI_APISERVER, "encryption.yaml"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (remove_file(writer, all[i].folder, all[i].file, "") < 0)
            return -1;
    for (enum pki_folder i = 0; i < PKI_FOLDERS; i++)
        if (remove_file(writer, i, "kubeconfig", "") < 0)
            return -1;
    for (size_t i = 0; i < PKI_LEAVES; i++)
        if (!pki_has(writer->metadata, pki_leaves[i].folder, pki_leaves[i].authority == PKI_OF_ETCD) &&
            (remove_file(writer, pki_leaves[i].folder, pki_leaves[i].file, ".key") < 0 ||
             remove_file(writer, pki_leaves[i].folder, pki_leaves[i].file, ".crt") < 0))
            return -1;
    for (size_t i = 0; i < PKI_COPIES; i++)
        if (!pki_has(writer->metadata, pki_copies[i].folder, pki_copies[i].authority == PKI_OF_ETCD) &&
            remove_file(writer, pki_copies[i].folder, pki_copies[i].file, "") < 0)
            return -1;
    return 0;
}

static int start(struct pki_writer *writer, const struct cluster_secret *secret)
{
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        return err_set(writer->err, ERR_INTERNAL, 0, "OpenSSL does not start");
    writer->secrets[0] = *secret;
    cluster_secret_take_next(secret, &writer->secrets[1]);
    return make_authorities(writer, 0) < 0 || make_authorities(writer, 1) < 0 ? err_wrap(writer->err, "keys")
                                                                              : 0;
}

int pki_files_write(const struct root *root, const struct node_metadata *metadata,
                    const struct cluster_secret *secret, bool use_next, time_t now, unsigned *ret_changed,
                    struct err *err)
{
    cleanup_pki_writer struct pki_writer writer = {
        .root = root, .metadata = metadata, .used = use_next && secret->has_next, .now = now, .err = err};
    if (start(&writer, secret) < 0)
        return -1;
    if (close_folders(&writer) < 0 || write_copies(&writer) < 0 || write_derived(&writer) < 0)
        return err_wrap(err, "keys");
    for (size_t i = 0; i < PKI_LEAVES; i++)
        if (pki_has(metadata, pki_leaves[i].folder, pki_leaves[i].authority == PKI_OF_ETCD) &&
            write_leaf(&writer, &pki_leaves[i]) < 0)
            return err_wrap(err, "certificates");
    if (write_kubeconfigs(&writer) < 0)
        return err_wrap(err, "kubeconfigs");
    if (metadata->role == NODE_ROLE_WITNESS && remove_kubernetes(&writer) < 0)
        return err_wrap(err, "keys of a node");
    *ret_changed = writer.changed;
    return 0;
}

/* The key counts, not the certificate: a later version may write other certificates of the same key. */
static bool is_ours(const struct pki_writer *writer, enum pki_authority authority, X509 *cert)
{
    for (size_t i = 0; i < 2; i++)
        if (writer->secrets[i].set &&
            X509_check_private_key(cert, writer->authorities[i][authority].key) == 1)
            return true;
    return false;
}

static bool is_foreign_copy(const struct pki_writer *writer, const struct pki_copy *copy, const char *path)
{
    cleanup_buf struct buf text = BUF_INIT(PKI_FILE_MAX);
    X509 *certs[2];
    bool found = false, foreign = false;
    struct err unread;
    if (root_read(writer->root, path, &text, &found, &unread) < 0 || !found)
        return false;
    for (size_t count = x509_read_certs(&text, certs); count > 0; count--) {
        X509 *cert = certs[count - 1];
        foreign = foreign || (X509_self_signed(cert, 1) == 1 && !is_ours(writer, copy->authority, cert));
        X509_free(cert);
    }
    ERR_clear_error(); /* an answer, not a failure */
    return foreign;
}

static bool is_foreign_peer_key(const struct pki_writer *writer)
{
    cleanup_buf_wipe struct buf has = BUF_INIT(PKI_FILE_MAX);
    bool found = false, ours = false;
    struct err unread;
    if (root_read(writer->root, PKI_PEER_KEY, &has, &found, &unread) < 0 || !found ||
        has.len != 2UL * DERIVED_KEY_SIZE || !hex_is_lower(has.data, has.len))
        return false;
    for (size_t i = 0; i < 2 && writer->secrets[i].set; i++) {
        cleanup_buf_wipe struct buf wants = BUF_INIT(PKI_FILE_MAX);
        agent_key(writer->metadata, &writer->secrets[i], PKI_PEER_LABEL, &wants);
        ours = ours || (wants.data && sodium_memcmp(has.data, wants.data, has.len) == 0);
    }
    return !ours;
}

int pki_files_find_foreign(const struct root *root, const struct node_metadata *metadata,
                           const struct cluster_secret *secret, char ret[static PATH_CAP], struct err *err)
{
    cleanup_pki_writer struct pki_writer writer = {.root = root, .metadata = metadata, .err = err};
    char path[PATH_CAP];
    if (start(&writer, secret) < 0)
        return -1;
    for (size_t i = 0; i < PKI_COPIES; i++) {
        pki_path(pki_copies[i].folder, pki_copies[i].file, "", path);
        if (is_foreign_copy(&writer, &pki_copies[i], path)) {
            memcpy(ret, path, sizeof path);
            return 0;
        }
    }
    snprintf(ret, PATH_CAP, "%s", is_foreign_peer_key(&writer) ? PKI_PEER_KEY : "");
    return 0;
}
