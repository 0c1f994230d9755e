#include "agent/pki/ends.h"

#include "node/pki.h"

static int read_end(const X509 *cert, time_t *ret)
{
    struct tm tm;
    if (!cert || ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1)
        return -1;
    *ret = timegm(&tm);
    return 0;
}

/* The end of the certificate, or of the one of two that ends first. */
static int read_first_end(const struct buf *pem, time_t *ret)
{
    X509 *certs[2];
    size_t count = x509_read_certs(pem, certs);
    int status = count > 0 ? 0 : -1;
    for (size_t i = 0; i < count; i++) {
        time_t at = 0;
        if (read_end(certs[i], &at) < 0)
            status = -1;
        *ret = i == 0 || at < *ret ? at : *ret;
        X509_free(certs[i]);
    }
    return status;
}

static int look_at(const struct root *root, const char *path, struct pki_end *first, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(PKI_FILE_MAX);
    bool found = false;
    time_t at;
    if (root_read(root, path, &text, &found, err) < 0)
        return -1;
    if (!found)
        return 0;
    if (read_first_end(&text, &at) < 0)
        return err_set(err, ERR_VERIFY, 0, "%s is not a certificate", path);
    if (first->path[0] == '\0' || at < first->at) {
        snprintf(first->path, sizeof first->path, "%s", path);
        first->at = at;
    }
    return 0;
}

int pki_find_first_end(const struct root *root, struct pki_end *ret, struct err *err)
{
    struct pki_end first = {0};
    char path[PATH_CAP];
    for (size_t i = 0; i < PKI_LEAVES; i++) {
        pki_path(pki_leaves[i].folder, pki_leaves[i].file, ".crt", path);
        if (look_at(root, path, &first, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < PKI_COPIES; i++) {
        pki_path(pki_copies[i].folder, pki_copies[i].file, "", path);
        if (look_at(root, path, &first, err) < 0)
            return -1;
    }
    *ret = first;
    return 0;
}
