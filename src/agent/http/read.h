/* Reads an HTTP answer from any transport: plain TCP or TLS.
 *
 * In:    a source of bytes; zero bytes mean the end.
 * Out:   the header (head.h), then the body, whichever way its length is given.
 * Fails: ERR_NETWORK: it ended early; ERR_VERIFY: over a cap, or malformed.
 * Source: RFC 9112
 */
#ifndef BAKE_AGENT_HTTP_READ_H
#define BAKE_AGENT_HTTP_READ_H

#include "agent/http/http.h"
#include "agent/http/head.h"

struct agent_http_reader {
    /* Reads at least one byte; *RET_LEN is 0 at the end. */
    int (*fill)(void *ctx, void *out, size_t cap, const char *what, size_t *ret_len, struct err *err);
    void *ctx;
    size_t at, have; /* in[at..have) is unread */
    char in[AGENT_HTTP_HEADER_MAX];
};

must_check int agent_http_read_head(struct agent_http_reader *reader, struct agent_http_head *ret,
                                    struct err *err);
/* Appends the body to RET, up to its cap. */
must_check int agent_http_read_body(struct agent_http_reader *reader, const struct agent_http_head *head,
                                    struct buf *ret, struct err *err);

#endif
