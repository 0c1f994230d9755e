#include "agent/http/http.h"

#include <string.h>

#include "agent/http/read.h"

static int send_request(const struct wire *wire, const struct agent_http_request *request, struct err *err)
{
    char text[AGENT_HTTP_PATH_MAX + 256];
    if (strlen(request->path) > AGENT_HTTP_PATH_MAX || strpbrk(request->path, " \t\r\n"))
        return err_set(err, ERR_INTERNAL, 0, "a path that cannot be asked for");
    int n = snprintf(text, sizeof text,
                     "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUser-Agent: bake-agent/" BAKE_VERSION "\r\n"
                     "%sAccept: */*\r\nConnection: close\r\n\r\n",
                     request->path, request->peer->host, (unsigned)request->peer->port,
                     request->metadata ? "Metadata-Flavor: Google\r\n" : "");
    return wire_send(wire, text, n > 0 ? (size_t)n : 0, err);
}

static int fill_from_wire(void *ctx, void *out, size_t cap, const char *what, size_t *ret_len,
                          struct err *err)
{
    return wire_receive(ctx, out, cap, what, ret_len, err);
}

static int exchange(struct agent_http_reader *reader, const struct agent_http_request *request,
                    int *ret_status, struct buf *ret, struct err *err)
{
    struct agent_http_head head;
    cleanup_wire struct wire wire = WIRE_INIT;
    reader->fill = fill_from_wire;
    reader->ctx = &wire; // cppcheck-suppress autoVariables ; the reader is not used after this call
    if (wire_dial(request->peer, request->timeout_ms, &wire, err) < 0 ||
        send_request(&wire, request, err) < 0 || agent_http_read_head(reader, &head, err) < 0)
        return -1;
    if (request->metadata && !head.google)
        return err_set(err, ERR_VERIFY, 0,
                       "the answer lacks \"Metadata-Flavor: Google\": this is not a metadata server");
    cleanup_buf struct buf body = BUF_INIT(ret->max - ret->len);
    if (head.status == 200 && agent_http_read_body(reader, &head, &body, err) < 0)
        return -1;
    buf_add(ret, body.data, body.len);
    if (buf_check(ret, "the answer", err) < 0)
        return -1;
    *ret_status = head.status;
    return 0;
}

int agent_http_get(const struct agent_http_request *request, int *ret_status, struct buf *ret_body,
                   struct err *err)
{
    cleanup_free struct agent_http_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return err_oom(err);
    if (exchange(reader, request, ret_status, ret_body, err) < 0)
        return err_wrap(err, "http://%s:%u%s", request->peer->host, (unsigned)request->peer->port,
                        request->path);
    return 0;
}
