/* Which certificate authorities (CAs) may vouch for a server: the system's, and those the user names.
 *
 * In:    the value of --ca-file; without it, the variables that curl(1), OpenSSL and gcloud read.
 * Out:   paths, and where each came from, for messages; a libcurl handle that trusts them.
 * Fails: ERR_IO: a file or folder that cannot be read. ERR_USAGE: a file without a PEM certificate.
 * Owns:  nothing: the paths are borrowed from argv and the environment.
 *
 * What is named is trusted beside the system's CAs, not instead of them: inputs may come from a company's
 * mirror and the image go to Google.
 */
#ifndef BAKE_HTTP_CA_H
#define BAKE_HTTP_CA_H

#include <stddef.h>

#include <curl/curl.h>

#include "base/err.h"

enum { CA_FILES = 4 };

struct ca_source {
    struct ca_file {
        const char *path, *from; /* "company.pem", "SSL_CERT_FILE" */
    } files[CA_FILES];
    size_t count;
    const char
        *dir; /* of SSL_CERT_DIR: folders of certificates named by hash, ':' between them; NULL: none */
};

/* OPTION, else $CURL_CA_BUNDLE, $SSL_CERT_FILE and $SSL_CERT_DIR; empty variables count as not set. */
struct ca_source ca_choose(const char *option);
/* One more. PATH NULL, or named already: nothing. */
void ca_add(struct ca_source *ca, const char *path, const char *from);

/* Can all of them be used? Call it before a request: libcurl finds out late, and does not say which
 * failed. */
must_check int ca_check(const struct ca_source *ca, struct err *err);

/* CA is borrowed as long as the handle is used. */
CURLcode ca_apply(const struct ca_source *ca, CURL *easy);

#endif
