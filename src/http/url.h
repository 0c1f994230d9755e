/* URLs: http and https as libcurl parses them (RFC 3986), file URLs by RFC 8089.
 *
 * In:    text from a recipe, a lock, the environment, a credentials file or a server's redirect.
 * Out:   url_parse(): the URL without its credentials, and the credentials. url_parts(): the host and whether
 *        it is this machine or a metadata service, for decisions on what may be sent there.
 * Fails: ERR_RECIPE: not an absolute URL of a supported scheme. The message never shows credentials;
 *        url_parts() does not repeat the URL at all.
 * Owns:  a struct url owns its strings until url_free().
 */
#ifndef BAKE_HTTP_URL_H
#define BAKE_HTTP_URL_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

enum { HTTP_URL_MAX = 8192 };

enum url_scheme { URL_FILE, URL_HTTP, URL_HTTPS };

struct url {
    enum url_scheme scheme;
    char *clean;           /* without user, password and fragment */
    char *shown;           /* clean with the query, which may be a signature, as "...": for messages */
    char *site;            /* "https://host:port": who may get the credentials; NULL for files */
    char *user, *password; /* decoded; NULL: none */
    char *path;            /* file URLs: decoded and absolute */
};

/* http, https and file URLs. */
must_check int url_parse(const char *text, struct url *ret, struct err *err);
void url_free(struct url *url);
#define cleanup_url cleanup(url_free)

struct url_parts {
    bool https;
    bool loopback;   /* 127.0.0.0/8, ::1, localhost */
    bool link_local; /* 169.254.0.0/16, fe80::/10, fd20:ce::254: metadata services of clouds */
    char host[256];  /* lower case, without brackets */
};

/* http and https URLs (scheme in lower case); a user, a password or a fragment is refused. */
must_check int url_parts(const char *url, struct url_parts *ret, struct err *err);
/* True if the host is DOMAIN or ends in ".DOMAIN". */
bool url_host_under(const struct url_parts *parts, const char *domain);

/* "host" or "host:port" of any URL, for messages; truncated where it does not fit. */
enum { URL_HOST_CAP = 128 };
void url_host(const char *url, char to[static URL_HOST_CAP]);

/* Percent-encodes everything but RFC 3986's unreserved characters, '/' too: for one segment of a path or one
 * value of a query or form. */
void url_escape(struct buf *buf, const char *text);

#endif
