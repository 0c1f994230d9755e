/* A small HTTPS client: one request, of JSON if it has a body, one connection, one deadline, certificates on
 * both sides.
 *
 * In:    an IPv4 address and port, a path, a body; files below the root: the CA, the client's certificate and
 *        key.
 * Out:   the status and the body, whatever the status: a refusal gives its reason in the body.
 * Fails: ERR_NETWORK: no connection, too slow, broken off; ERR_VERIFY: the server's certificate is not from
 *        that CA or not for that address, or the answer breaks the rules of head.h; ERR_IO: the files.
 * Owns:  the key is wiped from memory.
 * Never: accepts less than TLS 1.2, accepts a certificate by name, reads the machine's OpenSSL configuration
 *        or CAs, follows a redirect.
 * Source: RFC 9110 4.3.4 and 4.3.5 (the address must be among the certificate's), openssl-verification(7)
 */
#ifndef BAKE_AGENT_HTTP_TLS_H
#define BAKE_AGENT_HTTP_TLS_H

#include "agent/http/http.h"
#include "agent/os/root.h"

enum { TLS_FILE_MAX = 64 << 10 };

struct tls_files {
    const struct root *root;
    const char *ca, *cert, *key;
};

struct tls_request {
    const struct tls_files *files;
    const struct wire_peer *peer;
    const char *path, *body;     /* BODY: JSON, or NULL */
    unsigned timeout_ms;         /* for the whole exchange */
    const char *method, *accept; /* NULL: POST with a body, GET without; application/json */
};

must_check int tls_send(const struct tls_request *request, int *ret_status, struct buf *ret_body,
                        struct err *err);

#endif
