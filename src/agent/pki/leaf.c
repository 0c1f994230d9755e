#include "agent/pki/leaf.h"

static bool read_leaf_file(const struct root *root, const struct pki_leaf *leaf, const char *suffix,
                           struct buf *ret)
{
    char path[PATH_CAP];
    bool found = false;
    struct err unread; /* an unreadable file, such as one that is too large, is to be replaced */
    pki_path(leaf->folder, leaf->file, suffix, path);
    return root_read(root, path, ret, &found, &unread) == 0 && found;
}

bool pki_leaf_fits(const struct root *root, const struct pki_leaf *leaf, const X509 *authority,
                   const struct node_metadata *metadata, time_t now, time_t spare_s, struct buf *cert,
                   struct buf *key)
{
    struct pki_wanted w;
    pki_want(leaf, metadata, &w);
    return read_leaf_file(root, leaf, ".crt", cert) && read_leaf_file(root, leaf, ".key", key) &&
           x509_fits(cert, key, authority, &w.spec, now, spare_s);
}
