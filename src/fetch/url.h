/* URLs as fetch takes them apart: RFC 3986 by libcurl, file URLs by RFC 8089.
 *
 * In:    text from a recipe, a lock or a server's redirect.
 * Out:   the URL without credentials, and the credentials apart.
 * Fails: ERR_RECIPE for anything that is not a whole http, https or file URL. The text is never in the
 *        message with its credentials.
 * Owns:  its strings until fetch_url_free().
 */
#ifndef BAKE_FETCH_URL_H
#define BAKE_FETCH_URL_H

#include <stdbool.h>

#include "base/err.h"

enum fetch_scheme { FETCH_FILE, FETCH_HTTP, FETCH_HTTPS };
enum { FETCH_URL_MAX = 8192 };

struct fetch_url {
    enum fetch_scheme scheme;
    char *clean; /* no user, no password, no fragment */
    char *shown; /* clean without the query's text, which may be a signature: for messages on redirects */
    char *site;  /* "https://host:port": who may get the credentials; NULL for files */
    char *user, *password; /* decoded; NULL when there are none */
    char *path;            /* file URLs: decoded and absolute */
};

must_check int fetch_url_parse(const char *text, struct fetch_url *ret, struct err *err);
void fetch_url_free(struct fetch_url *url);
#define cleanup_fetch_url cleanup(fetch_url_free)

#endif
