/* Writes every Secret of the cluster again, so that the API server stores it under the key it writes with
 * now.
 *
 * In:    the node's own API server, asked as admin; answers are capped.
 * Out:   how many were written.
 * Fails: ERR_NETWORK, ERR_REMOTE naming the Secret that could not be written. Those before it are written,
 * and doing it again is harmless. Never: changes a Secret, or takes one apart: what the server gave is what
 * it gets, under the version it had. A Secret that somebody else wrote or deleted meanwhile needs nothing.
 * Source: Kubernetes, "Encrypting Confidential Data at Rest", "Ensure all relevant data are encrypted"
 */
#ifndef BAKE_AGENT_ROTATE_SECRETS_H
#define BAKE_AGENT_ROTATE_SECRETS_H

#include "agent/http/tls.h"

enum { SECRETS_PAGE = 50, SECRETS_BODY_MAX = 4 << 20, SECRETS_CALL_MS = 30000 };

struct secrets_server {
    struct tls_files files;
    struct wire_peer peer;
};

must_check int secrets_rewrite(const struct secrets_server *server, size_t *ret_count, struct err *err);

/* The server's pod of this node's control plane: whether it runs with the annotation bake/keys KEYS, and is
 * ready. */
must_check int secrets_server_ready(const struct secrets_server *server, const char *node, const char *keys,
                                    bool *ret_ready, struct err *err);

#endif
