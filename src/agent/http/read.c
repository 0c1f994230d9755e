#include "agent/http/read.h"

#include <string.h>

/* Reads more into in[]; *RET_EOF: the peer is done. */
static int fill_buffer(struct agent_http_reader *reader, const char *what, bool *ret_eof, struct err *err)
{
    size_t got = 0;
    if (reader->at == reader->have)
        reader->at = reader->have = 0;
    if (reader->fill(reader->ctx, reader->in + reader->have, sizeof reader->in - reader->have, what, &got,
                     err) < 0)
        return -1;
    reader->have += got;
    *ret_eof = got == 0;
    return 0;
}

int agent_http_read_head(struct agent_http_reader *reader, struct agent_http_head *ret, struct err *err)
{
    const char *end;
    while (!(end = memmem(reader->in, reader->have, "\r\n\r\n", 4))) {
        bool eof = false;
        if (reader->have == sizeof reader->in)
            return err_set(err, ERR_VERIFY, 0, "the answer's header is over %d bytes", AGENT_HTTP_HEADER_MAX);
        if (fill_buffer(reader, "waiting for the answer", &eof, err) < 0)
            return -1;
        if (eof)
            return err_set(err, ERR_NETWORK, 0, "the connection was closed before the end of the header");
    }
    reader->at = (size_t)(end - reader->in) + 4;
    return agent_http_head_parse(reader->in, reader->at, ret, err);
}

/* LEN bytes of the body. */
static int read_exactly(struct agent_http_reader *reader, uint64_t len, struct buf *ret, struct err *err)
{
    if (len > ret->max - ret->len)
        return err_set(err, ERR_VERIFY, 0, "the answer is over %zu bytes", ret->max);
    while (len > 0) {
        bool eof = false;
        if (reader->at == reader->have && fill_buffer(reader, "reading the answer", &eof, err) < 0)
            return -1;
        if (eof)
            return err_set(err, ERR_NETWORK, 0, "the answer ended %llu bytes early", (unsigned long long)len);
        size_t n = reader->have - reader->at;
        n = n > len ? (size_t)len : n;
        buf_add(ret, reader->in + reader->at, n);
        reader->at += n;
        len -= n;
    }
    return buf_check(ret, "the answer", err);
}

/* Reads a line of the chunked coding into OUT, without its CRLF. */
static int read_line(struct agent_http_reader *reader, char *out, size_t cap, struct err *err)
{
    for (size_t len = 0;;) {
        bool eof = false;
        if (reader->at == reader->have && fill_buffer(reader, "reading the answer", &eof, err) < 0)
            return -1;
        if (eof)
            return err_set(err, ERR_NETWORK, 0, "the answer ended inside its chunks");
        char c = reader->in[reader->at++];
        if (c == '\n' && len > 0 && out[len - 1] == '\r') {
            out[len - 1] = '\0';
            return 0;
        }
        if (len == cap || c == '\0')
            return err_set(err, ERR_VERIFY, 0, "the answer's chunks are malformed");
        out[len++] = c;
    }
}

static int read_chunked(struct agent_http_reader *reader, struct buf *ret, struct err *err)
{
    char line[256];
    uint64_t size;
    for (;;) {
        if (read_line(reader, line, sizeof line, err) < 0)
            return -1;
        if (!agent_http_chunk_size(line, &size))
            return err_set(err, ERR_VERIFY, 0, "the answer's chunks are malformed: a size is not a number");
        if (size == 0)
            break;
        if (read_exactly(reader, size, ret, err) < 0 || read_line(reader, line, sizeof line, err) < 0)
            return -1;
        if (line[0] != '\0')
            return err_set(err, ERR_VERIFY, 0,
                           "the answer's chunks are malformed: one is longer than it says");
    }
    for (unsigned i = 0; i < 64; i++) { /* trailers are ignored */
        if (read_line(reader, line, sizeof line, err) < 0)
            return -1;
        if (line[0] == '\0')
            return 0;
    }
    return err_set(err, ERR_VERIFY, 0, "the answer has too many trailers");
}

static int read_to_end(struct agent_http_reader *reader, struct buf *ret, struct err *err)
{
    for (bool eof = false; !eof;) {
        buf_add(ret, reader->in + reader->at, reader->have - reader->at);
        reader->at = reader->have;
        if (ret->failed)
            return err_set(err, ERR_VERIFY, 0, "the answer is over %zu bytes", ret->max);
        if (fill_buffer(reader, "reading the answer", &eof, err) < 0)
            return -1;
    }
    return 0;
}

int agent_http_read_body(struct agent_http_reader *reader, const struct agent_http_head *head,
                         struct buf *ret, struct err *err)
{
    if (head->chunked)
        return read_chunked(reader, ret, err);
    return head->has_length ? read_exactly(reader, head->length, ret, err) : read_to_end(reader, ret, err);
}
