/* The header of an HTTP answer, as far as a client needs it that asks for small bodies only.
 *
 * In:    the bytes up to and with the empty line.
 * Out:   status and how the body ends.
 * Fails: ERR_VERIFY on anything that RFC 9112 lets a recipient read in two ways.
 * Owns:  nothing.
 * Never: reads the body.
 */
#ifndef BAKE_AGENT_HTTP_HEAD_H
#define BAKE_AGENT_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct agent_http_head {
    int status;
    bool google; /* "Metadata-Flavor: Google" */
    bool chunked;
    bool has_length;
    uint64_t length; /* bytes of the body */
};

must_check int agent_http_head_parse(const char *text, size_t len, struct agent_http_head *ret,
                                     struct err *err);

/* The size that opens a chunk: hex digits, then perhaps ";extension". */
bool agent_http_chunk_size(const char *line, uint64_t *ret);

#endif
