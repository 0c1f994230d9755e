/* Which certificate authorities (CAs) are trusted: the system's, and those that the user names.
 *
 * In:    the value of --ca-file; without it, the variables that curl(1), OpenSSL and gcloud read.
 * Out:   paths, and where each came from, for messages; a libcurl handle that trusts them.
 * Fails: ERR_IO: a file or folder that cannot be read. ERR_USAGE: a file without a PEM certificate.
 * Owns:  nothing: the paths are borrowed from argv and the environment.
 *
 * The user's CAs are trusted in addition to the system's: inputs may come from a company's mirror while the
 * image goes to Google.
 */
#ifndef BAKE_HTTP_CA_H
#define BAKE_HTTP_CA_H

#include <stddef.h>

#include <curl/curl.h>

#include "base/err.h"

enum { CA_FILES = 4 };

struct ca_source {
    struct ca_file {
        const char *path, *from; /* such as "company.pem" and "SSL_CERT_FILE" */
    } files[CA_FILES];
    size_t count;
    /* $SSL_CERT_DIR: folders of certificates named by hash, separated by ':'; NULL: none. */
    const char *dir;
};

/* OPTION alone, or else $CURL_CA_BUNDLE, $SSL_CERT_FILE and $SSL_CERT_DIR; empty variables count as unset. */
struct ca_source ca_choose(const char *option);
/* Adds a file, unless PATH is NULL or already there. */
void ca_add(struct ca_source *ca, const char *path, const char *from);

/* Checks that all of them can be used. Call it before a request: libcurl fails late, and does not say which
 * one is bad. */
must_check int ca_check(const struct ca_source *ca, struct err *err);

/* CA is borrowed while the handle is in use. */
CURLcode ca_apply(const struct ca_source *ca, CURL *easy);

#endif
