/* A small HTTP/1.1 client: one GET, one connection, one deadline.
 *
 * Written by hand because the agent is static: libcurl.a needs a dozen more static libraries (GSSAPI, LDAP,
 * ...) for features that no node uses.
 *
 * In:    an IPv4 address and port, a path.
 * Out:   the status, and the body of a 200.
 * Fails: ERR_NETWORK: no connection, too slow, closed early; ERR_VERIFY: an answer that breaks the rules
 *        below.
 * Never: follows a redirect, looks up a name, accepts an answer that gives its length in two ways, or (with
 *        `metadata`) one without "Metadata-Flavor: Google": another server on that address is not trusted.
 * Source: RFC 9112; https://cloud.google.com/compute/docs/metadata/querying-metadata
 */
#ifndef BAKE_AGENT_HTTP_HTTP_H
#define BAKE_AGENT_HTTP_HTTP_H

#include <stdbool.h>

#include "agent/http/wire.h"
#include "base/buf.h"
#include "base/err.h"

enum { AGENT_HTTP_HEADER_MAX = 16 << 10, AGENT_HTTP_BODY_MAX = 1 << 20, AGENT_HTTP_PATH_MAX = 512 };

struct agent_http_request {
    const struct wire_peer *peer;
    const char *path; /* with the query; no white space */
    bool metadata;
    unsigned timeout_ms; /* for the whole exchange */
};

/* The body is added to RET_BODY only for status 200. */
must_check int agent_http_get(const struct agent_http_request *request, int *ret_status, struct buf *ret_body,
                              struct err *err);

#endif
