/* Serves one page over HTTP: /metrics.
 *
 * In:    a listening socket; requests of anybody who reaches it.
 * Out:   the page, made anew at most every PAGE_FRESH_MS; a refusal of everything else.
 * Fails: page_serve() ends only when the socket fails or the page cannot be made. page_answer() with
 *        ERR_NETWORK: a client that is too slow, or gone.
 * Never: reads more than PAGE_REQUEST_MAX bytes, or spends longer than PAGE_CLIENT_MS on one client; what
 *        others wait for in the meantime is in the socket's backlog. Keeps a connection.
 * Source: RFC 9112
 */
#ifndef BAKE_AGENT_STATUS_PAGE_H
#define BAKE_AGENT_STATUS_PAGE_H

#include "base/buf.h"
#include "base/err.h"

enum { PAGE_REQUEST_MAX = 4096, PAGE_CLIENT_MS = 1000, PAGE_FRESH_MS = 5000, PAGE_MAX = 64 << 10 };

struct page {
    int (*make)(void *ctx, struct buf *ret, struct err *err);
    void *ctx;
};

must_check int page_serve(int listener, const struct page *page, struct err *err);
/* One client. */
must_check int page_answer(int client, const char *text, size_t len, struct err *err);

/* The socket that systemd passed; -1: none, as LISTEN_PID and LISTEN_FDS say. Source: sd_listen_fds(3) */
int page_socket(void);

#endif
