#include "http/ca.h"

#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "io/file.h"

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

void ca_add(struct ca_source *ca, const char *path, const char *from)
{
    if (!path || ca->count == CA_FILES)
        return;
    for (size_t i = 0; i < ca->count; i++)
        if (strcmp(ca->files[i].path, path) == 0)
            return;
    ca->files[ca->count++] = (struct ca_file){path, from};
}

struct ca_source ca_choose(const char *option)
{
    struct ca_source ca = {0};
    ca_add(&ca, option, "--ca-file");
    if (option)
        return ca;
    ca_add(&ca, variable("CURL_CA_BUNDLE"), "CURL_CA_BUNDLE");
    ca_add(&ca, variable("SSL_CERT_FILE"), "SSL_CERT_FILE");
    ca.dir = variable("SSL_CERT_DIR");
    return ca;
}

static void store_free(X509_STORE **store)
{
    X509_STORE_free(*store);
}

static int check_file(const struct ca_file *file, struct err *err)
{
    cleanup_close int fd = -1;
    uint64_t size = 0;
    if (file_open(file->path, &fd, &size, err) < 0)
        return err_wrap(err, "CA certificates (%s)", file->from);
    cleanup(store_free) X509_STORE *store = X509_STORE_new();
    if (!store)
        return err_oom(err);
    int loaded = X509_STORE_load_file(store, file->path);
    ERR_clear_error();
    if (loaded == 1)
        return 0;
    return err_set(err, ERR_USAGE, 0,
                   "%s: %s holds no PEM certificate (-----BEGIN CERTIFICATE-----) that can be read",
                   file->from, file->path);
}

/* OpenSSL skips missing folders, so one that can be read is enough. */
static int check_dir(const char *list, struct err *err)
{
    cleanup_free char *text = strdup(list);
    char *rest = NULL;
    int why = ENOENT;
    if (!text)
        return err_oom(err);
    for (char *dir = strtok_r(text, ":", &rest); dir; dir = strtok_r(NULL, ":", &rest)) {
        struct stat st;
        if (stat(dir, &st) < 0 || access(dir, R_OK | X_OK) < 0)
            why = errno;
        else if (S_ISDIR(st.st_mode))
            return 0;
        else
            why = ENOTDIR;
    }
    return err_sys(err, why, "CA certificates (SSL_CERT_DIR): %s", list);
}

int ca_check(const struct ca_source *ca, struct err *err)
{
    for (size_t i = 0; i < ca->count; i++)
        if (check_file(&ca->files[i], err) < 0)
            return -1;
    return ca->dir ? check_dir(ca->dir, err) : 0;
}

/* libcurl calls this once it has loaded the system's CAs. */
static CURLcode add_to_context(CURL *easy, void *context, void *ctx)
{
    const struct ca_source *ca = ctx;
    bool ok = true;
    (void)easy;
    for (size_t i = 0; ok && i < ca->count; i++)
        ok = SSL_CTX_load_verify_file(context, ca->files[i].path) == 1;
    if (ok && ca->dir)
        ok = SSL_CTX_load_verify_dir(context, ca->dir) == 1;
    ERR_clear_error();
    return ok ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

CURLcode ca_apply(const struct ca_source *ca, CURL *easy)
{
    char *bundle = NULL;
    if (ca->count == 0 && !ca->dir)
        return CURLE_OK;
    CURLcode code = curl_easy_getinfo(easy, CURLINFO_CAINFO, &bundle);
    /* libcurl insists on the bundle whose path it was built with, but a small container may not have it */
    bool missing = code == CURLE_OK && bundle && access(bundle, R_OK) < 0;
    if (missing)
        code = curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    if (missing && code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, NULL);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, add_to_context);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, (void *)(uintptr_t)ca);
    return code;
}
