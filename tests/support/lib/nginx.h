/* A real nginx on loopback for tests, started by tests/support/nginx/start: tests must run in the top of the
 * source tree.
 *
 * Owns:  a temporary folder and the server, until nginx_stop(). The server also ends if the test crashes.
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

/* SNIPPET: further directives for the server block, or NULL. TLS uses a new, untrusted certificate for
 * 127.0.0.1. 0, or -1 with a message on stderr. */
int nginx_start(struct nginx *nginx, const char *snippet, bool tls);
void nginx_stop(struct nginx *nginx);

/* Replaces www/NAME. */
int nginx_put(const struct nginx *nginx, const char *name, const void *bytes, size_t len);
/* Kills the worker with SIGKILL: cuts every connection. The master starts another worker. */
int nginx_cut(const struct nginx *nginx);

/* From the access log: the body bytes of the Nth request for URI (from 0), or -1 if there are fewer. nginx
 * writes a line shortly after it sent the last byte: both functions wait up to 2 s for it. */
int64_t nginx_sent(const struct nginx *nginx, const char *uri, unsigned nth, int *ret_status);
unsigned nginx_requests(const struct nginx *nginx, const char *uri, unsigned at_least);

#endif
