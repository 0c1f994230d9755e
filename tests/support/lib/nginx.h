/* A real nginx on loopback for tests: starts tests/support/nginx/start, so tests run in the source's top
 * folder.
 *
 * Owns: a temporary folder and the server, until nginx_stop(). The server also goes when the test crashes.
 */
#ifndef BAKE_TESTS_SUPPORT_LIB_NGINX_H
#define BAKE_TESTS_SUPPORT_LIB_NGINX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct nginx {
    char dir[64];            /* www/ in it is served; access.log, tls.crt */
    unsigned port, tls_port; /* tls_port is 0 without TLS */
    pid_t pid;               /* of the master process */
};

/* SNIPPET: further directives of the server block, NULL for none. With TLS a certificate for 127.0.0.1 that
 * nobody trusts is made. 0, or -1 with a message on stderr. */
int nginx_start(struct nginx *nginx, const char *snippet, bool tls);
void nginx_stop(struct nginx *nginx);

/* Replaces www/NAME. */
int nginx_put(const struct nginx *nginx, const char *name, const void *bytes, size_t len);
/* kill -9 of the worker: every connection is cut, and the master starts another worker. */
int nginx_cut(const struct nginx *nginx);

/* What the access log says of URI: body bytes of the Nth request (from 0), or -1 when there are fewer. A line
 * is written a moment after the last byte was sent: both wait up to 2 s for what they are asked for. */
int64_t nginx_sent(const struct nginx *nginx, const char *uri, unsigned nth, int *ret_status);
unsigned nginx_requests(const struct nginx *nginx, const char *uri, unsigned at_least);

#endif
