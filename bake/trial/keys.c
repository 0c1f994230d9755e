#include "bake/trial/keys.h"

#include <time.h>

#include <sodium.h>

#include "node/pki.h"
#include "node/cluster_secret.h"
#include "node/x509.h"

void trial_keys_clear(struct trial_keys *keys)
{
    buf_free(&keys->authority);
    buf_free(&keys->cert);
    buf_wipe(&keys->key);
}

static int make_authority(const struct cluster_secret *secret, const char *cluster, struct x509_pair *ret,
                          struct err *err)
{
    const struct pki_authority_spec *spec = &pki_authorities[PKI_OF_ETCD];
    unsigned char seed[DERIVED_KEY_SIZE];
    cluster_secret_derive(secret, cluster, spec->label, seed);
    int r = x509_authority(seed, spec->common_name, ret, err);
    sodium_memzero(seed, sizeof seed);
    return r;
}

int trial_keys_make(const char *cluster, const char *text, struct trial_keys *ret, struct err *err)
{
    static const struct x509_leaf leaf = {.common_name = "bake-test", .client = true};
    cleanup_cluster_secret struct cluster_secret secret = {0};
    cleanup_x509_pair struct x509_pair authority = {0};
    cleanup_x509_pair struct x509_pair client = {0};
    *ret = (struct trial_keys){BUF_INIT(X509_PEM_MAX), BUF_INIT(X509_PEM_MAX), BUF_INIT(X509_PEM_MAX)};
    if (cluster_secret_parse(text, &secret, err) < 0) {
        err->kind = ERR_USAGE;
        return err_wrap(err, "--metadata cluster-secret");
    }
    if (make_authority(&secret, cluster, &authority, err) < 0 ||
        x509_issue(&authority, &leaf, time(NULL), &client, err) < 0 ||
        x509_write_cert(authority.cert, &ret->authority, err) < 0 ||
        x509_write_cert(client.cert, &ret->cert, err) < 0 || x509_write_key(client.key, &ret->key, err) < 0)
        return err_wrap(err, "keys for the cluster");
    return 0;
}
