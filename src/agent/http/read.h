/* An HTTP answer from whatever carries it: a connection as it is, or one under TLS.
 *
 * In:    a source of bytes; no bytes mean the end.
 * Out:   the header (head.h), then the body, however its length is given.
 * Fails: ERR_NETWORK: it ended early; ERR_VERIFY: over a cap, or malformed.
 * Owns:  nothing.
 * Source: RFC 9112
 */
#ifndef BAKE_AGENT_HTTP_READ_H
#define BAKE_AGENT_HTTP_READ_H

#include "agent/http/http.h"
#include "agent/http/head.h"

struct agent_http_reader {
    /* At least one byte; *RET_LEN 0 at the end. */
    int (*fill)(void *ctx, void *out, size_t cap, const char *what, size_t *ret_len, struct err *err);
    void *ctx;
    size_t at, have; /* what of in[] is unread */
    char in[AGENT_HTTP_HEADER_MAX];
};

must_check int agent_http_read_head(struct agent_http_reader *reader, struct agent_http_head *ret,
                                    struct err *err);
/* Added to RET, up to its cap. */
must_check int agent_http_read_body(struct agent_http_reader *reader, const struct agent_http_head *head,
                                    struct buf *ret, struct err *err);

#endif
