/* A TCP connection with one deadline for everything on it.
 *
 * In:    an IPv4 address and port; bytes to send.
 * Out:   bytes received.
 * Fails: ERR_NETWORK: no connection, too slow, broken off.
 * Owns:  the descriptor, until wire_close().
 * Never: blocks past its deadline, raises SIGPIPE, or looks up a name.
 */
#ifndef BAKE_AGENT_HTTP_WIRE_H
#define BAKE_AGENT_HTTP_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct wire_peer {
    char host[16]; /* dotted IPv4 */
    uint16_t port;
};

struct wire {
    int fd;
    int64_t deadline; /* of clock_now_ms() */
};

#define WIRE_INIT                                                                                            \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

/* "10.0.0.1" (port 80) or "10.0.0.1:8080"; ERR_USAGE. */
must_check int wire_peer_parse(const char *text, struct wire_peer *ret, struct err *err);

must_check int wire_dial(const struct wire_peer *peer, unsigned timeout_ms, struct wire *ret,
                         struct err *err);
void wire_close(struct wire *wire);
#define cleanup_wire cleanup(wire_close)

must_check int wire_send(const struct wire *wire, const void *bytes, size_t len, struct err *err);
/* Receives at least one byte; *RET_LEN is 0 when the peer is done. WHAT names the wait in errors. */
must_check int wire_receive(const struct wire *wire, void *out, size_t cap, const char *what, size_t *ret_len,
                            struct err *err);

#endif
