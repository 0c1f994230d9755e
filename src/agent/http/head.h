/* The header of an HTTP answer, as far as a client for small bodies needs it.
 *
 * In:    the bytes up to and including the empty line.
 * Out:   the status, and how the body ends.
 * Fails: ERR_VERIFY on anything that RFC 9112 lets a recipient read in two ways.
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

/* The size in a chunk's first line: hex digits, optionally followed by ";extension". */
bool agent_http_chunk_size(const char *line, uint64_t *ret);

#endif
