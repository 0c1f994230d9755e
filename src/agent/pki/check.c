#include <string.h>

#include <openssl/crypto.h>
#include <sodium.h>

#include "agent/pki/files.h"
#include "agent/pki/leaf.h"
#include "text/base64.h"
#include "text/hex.h"

#define ONLY_THERE "and only the metadata server has the secret to make it again"

struct pki_checker {
    const struct root *root;
    const struct node_metadata *metadata;
    time_t now;
    /* two while the cluster changes its secret */
    X509 *authorities[PKI_AUTHORITIES][2];
    size_t counts[PKI_AUTHORITIES];
    struct err *err;
};

static void free_certs(X509 *certs[static 2], size_t count)
{
    while (count > 0)
        X509_free(certs[--count]);
}

static void free_checker(struct pki_checker *checker)
{
    for (size_t i = 0; i < PKI_AUTHORITIES; i++)
        free_certs(checker->authorities[i], checker->counts[i]);
}
#define cleanup_pki_checker cleanup(free_checker)

static void free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static int bad(const struct pki_checker *checker, enum pki_folder folder, const char *file, const char *what)
{
    char path[PATH_CAP];
    pki_path(folder, file, "", path);
    return err_set(checker->err, ERR_VERIFY, 0, "%s is %s, " ONLY_THERE, path, what);
}

static int read_file(const struct pki_checker *checker, enum pki_folder folder, const char *file,
                     struct buf *ret)
{
    char path[PATH_CAP];
    bool found = false;
    pki_path(folder, file, "", path);
    if (root_read(checker->root, path, ret, &found, checker->err) < 0)
        return -1;
    return found && ret->len > 0 ? 0 : bad(checker, folder, file, found ? "empty" : "missing");
}

static bool same(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && sodium_memcmp(a->data, b->data, a->len) == 0;
}

static bool is_among(const struct pki_checker *checker, enum pki_authority authority, const X509 *cert)
{
    for (size_t i = 0; i < checker->counts[authority]; i++)
        if (X509_cmp(checker->authorities[authority][i], cert) == 0)
            return true;
    return false;
}

/* All copies of an authority's certificate must be equal, or clients do not trust their servers. */
static bool copy_good(const struct pki_checker *checker, const struct pki_copy *copy, X509 *certs[static 2],
                      size_t count)
{
    size_t want = checker->counts[copy->authority];
    bool good = count > 0 && (want == 0 || count == (copy->alone ? 1 : want));
    for (size_t i = 0; i < count; i++)
        good = good && x509_authority_good(certs[i], checker->now) &&
               (want == 0 || is_among(checker, copy->authority, certs[i]));
    return good;
}

static int check_copy(struct pki_checker *checker, const struct pki_copy *copy)
{
    cleanup_buf struct buf text = BUF_INIT(PKI_FILE_MAX);
    X509 *certs[2];
    if (read_file(checker, copy->folder, copy->file, &text) < 0)
        return -1;
    size_t count = x509_read_certs(&text, certs);
    bool good = copy_good(checker, copy, certs, count);
    if (checker->counts[copy->authority] == 0 && !copy->alone) {
        memcpy(checker->authorities[copy->authority], certs, sizeof certs);
        checker->counts[copy->authority] = count;
    } else {
        free_certs(certs, count);
    }
    return good ? 0 : bad(checker, copy->folder, copy->file, "damaged or of another cluster");
}

static int check_leaf(const struct pki_checker *checker, const struct pki_leaf *leaf)
{
    char path[PATH_CAP];
    for (size_t i = 0; i < checker->counts[leaf->authority]; i++) {
        cleanup_buf struct buf cert = BUF_INIT(PKI_FILE_MAX);
        cleanup_buf_wipe struct buf key = BUF_INIT(PKI_FILE_MAX);
        if (pki_leaf_fits(checker->root, leaf, checker->authorities[leaf->authority][i], checker->metadata,
                          checker->now, 0, &cert, &key))
            return 0;
    }
    pki_path(leaf->folder, leaf->file, ".crt", path);
    return err_set(checker->err, ERR_VERIFY, 0,
                   "%s is missing, expired or not this node's, or its key is not its own, " ONLY_THERE, path);
}

static int check_authority_key(const struct pki_checker *checker)
{
    cleanup_buf_wipe struct buf text = BUF_INIT(PKI_FILE_MAX);
    cleanup_buf struct buf pem = BUF_INIT(PKI_FILE_MAX);
    if (read_file(checker, PKI_CONTROLLER_MANAGER, "ca.key", &text) < 0 ||
        read_file(checker, PKI_CONTROLLER_MANAGER, "signing.crt", &pem) < 0)
        return -1;
    cleanup(free_key) EVP_PKEY *key = x509_read_key(&text);
    X509 *cert = x509_read_cert(&pem);
    bool good = key && cert && X509_check_private_key(cert, key) == 1;
    X509_free(cert);
    return good ? 0 : bad(checker, PKI_CONTROLLER_MANAGER, "ca.key", "damaged or of another cluster");
}

/* The other key's public half, while there are two, is only known to be one. */
static bool starts_with(const struct buf *text, const struct buf *start)
{
    static const char next[] = "-----BEGIN PUBLIC KEY-----\n";
    return text->len >= start->len && sodium_memcmp(text->data, start->data, start->len) == 0 &&
           (text->len == start->len ||
            (text->len == 2 * start->len && memcmp(text->data + start->len, next, sizeof next - 1) == 0));
}

static int check_token_keys(const struct pki_checker *checker)
{
    cleanup_buf_wipe struct buf text = BUF_INIT(PKI_FILE_MAX), other = BUF_INIT(PKI_FILE_MAX);
    cleanup_buf struct buf public = BUF_INIT(PKI_FILE_MAX), wants = BUF_INIT(PKI_FILE_MAX);
    if (read_file(checker, PKI_APISERVER, "sa.key", &text) < 0 ||
        read_file(checker, PKI_CONTROLLER_MANAGER, "sa.key", &other) < 0 ||
        read_file(checker, PKI_APISERVER, "sa.pub", &public) < 0)
        return -1;
    cleanup(free_key) EVP_PKEY *key = x509_read_key(&text);
    if (!key)
        return bad(checker, PKI_APISERVER, "sa.key", "damaged");
    if (!same(&text, &other))
        return bad(checker, PKI_CONTROLLER_MANAGER, "sa.key", "not the API server's");
    if (x509_write_public(key, &wants, checker->err) < 0)
        return -1;
    return starts_with(&public, &wants) ? 0 : bad(checker, PKI_APISERVER, "sa.pub", "not that of sa.key");
}

/* The base64 of the next key from *AT on, which moves behind it. A key is any 32 bytes. */
static const char *next_key(const char **at, const char *end)
{
    static const char before[] = "secret: ";
    unsigned char bytes[DERIVED_KEY_SIZE];
    const char *key = *at ? memmem(*at, (size_t)(end - *at), before, sizeof before - 1) : NULL;
    if (!key || end - key < (long)(sizeof before - 1 + PKI_KEY_BASE64))
        return NULL;
    key += sizeof before - 1;
    *at = key + PKI_KEY_BASE64;
    bool good = base64_read(key, PKI_KEY_BASE64, bytes, sizeof bytes);
    sodium_memzero(bytes, sizeof bytes);
    return good ? key : NULL;
}

static int check_encryption(const struct pki_checker *checker)
{
    cleanup_buf_wipe struct buf text = BUF_INIT(PKI_FILE_MAX), wants = BUF_INIT(PKI_FILE_MAX);
    if (read_file(checker, PKI_APISERVER, "encryption.yaml", &text) < 0)
        return -1;
    const char *at = text.data, *end = text.data + text.len;
    const char *first = next_key(&at, end), *second = next_key(&at, end);
    if (first)
        pki_encryption(first, second, &wants);
    return first && same(&text, &wants) ? 0 : bad(checker, PKI_APISERVER, "encryption.yaml", "damaged");
}

static int check_authentication(const struct pki_checker *checker)
{
    cleanup_buf struct buf text = BUF_INIT(PKI_FILE_MAX), wants = BUF_INIT(PKI_FILE_MAX);
    if (read_file(checker, PKI_APISERVER, "authentication.yaml", &text) < 0)
        return -1;
    pki_authentication(&wants);
    return same(&text, &wants) ? 0 : bad(checker, PKI_APISERVER, "authentication.yaml", "damaged");
}

static int check_agent_key(const struct pki_checker *checker, const char *file)
{
    cleanup_buf_wipe struct buf text = BUF_INIT(PKI_FILE_MAX);
    if (read_file(checker, PKI_AGENT, file, &text) < 0)
        return -1;
    return text.len == 2 * (size_t)DERIVED_KEY_SIZE && hex_is_lower(text.data, text.len)
               ? 0
               : bad(checker, PKI_AGENT, file, "damaged");
}

static int check_kubeconfig(const struct pki_checker *checker, enum pki_folder folder)
{
    cleanup_buf struct buf text = BUF_INIT(PKI_FILE_MAX), wants = BUF_INIT(PKI_FILE_MAX);
    pki_kubeconfig(checker->metadata, folder, &wants);
    if (wants.len == 0)
        return 0;
    if (read_file(checker, folder, "kubeconfig", &text) < 0)
        return -1;
    return same(&text, &wants) ? 0 : bad(checker, folder, "kubeconfig", "not this node's");
}

static int check_kubernetes(const struct pki_checker *checker)
{
    if (check_authority_key(checker) < 0 || check_token_keys(checker) < 0 || check_encryption(checker) < 0 ||
        check_authentication(checker) < 0)
        return -1;
    for (enum pki_folder i = 0; i < PKI_FOLDERS; i++)
        if (check_kubeconfig(checker, i) < 0)
            return -1;
    return 0;
}

int pki_files_check(const struct root *root, const struct node_metadata *metadata, time_t now,
                    struct err *err)
{
    cleanup_pki_checker struct pki_checker checker = {
        .root = root, .metadata = metadata, .now = now, .err = err};
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        return err_set(err, ERR_INTERNAL, 0, "OpenSSL does not start");
    for (size_t i = 0; i < PKI_COPIES; i++)
        if (pki_has(metadata, pki_copies[i].folder, pki_copies[i].authority == PKI_OF_ETCD) &&
            check_copy(&checker, &pki_copies[i]) < 0)
            return -1;
    for (size_t i = 0; i < PKI_LEAVES; i++)
        if (pki_has(metadata, pki_leaves[i].folder, pki_leaves[i].authority == PKI_OF_ETCD) &&
            check_leaf(&checker, &pki_leaves[i]) < 0)
            return -1;
    if (check_agent_key(&checker, "peer.key") < 0 || check_agent_key(&checker, "snapshot.key") < 0)
        return -1;
    return metadata->role == NODE_ROLE_WITNESS ? 0 : check_kubernetes(&checker);
}
