#include "agent/http/http.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include "agent/http/read.h"
#include "agent/http/wire.h"

int64_t http_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int http_peer_parse(const char *text, struct http_peer *ret, struct err *err)
{
    struct http_peer peer = {.port = 80};
    size_t len = strcspn(text, ":");
    struct in_addr addr;
    const char *port = text + len;
    if (len < sizeof peer.host) {
        memcpy(peer.host, text, len);
        unsigned long number = 80;
        if (*port == ':') {
            size_t digits = strspn(port + 1, "0123456789");
            number = digits > 0 && digits < 6 && port[1 + digits] == '\0' ? strtoul(port + 1, NULL, 10) : 0;
        }
        if (inet_pton(AF_INET, peer.host, &addr) == 1 && number > 0 && number <= UINT16_MAX) {
            peer.port = (uint16_t)number;
            *ret = peer;
            return 0;
        }
    }
    return err_set(err, ERR_USAGE, 0, "\"%.100s\" is no address: give an IPv4 address, or ADDRESS:PORT",
                   text);
}

static int ask(const struct wire *wire, const struct http_request *request, struct err *err)
{
    char text[HTTP_PATH_MAX + 256];
    if (strlen(request->path) > HTTP_PATH_MAX || strpbrk(request->path, " \t\r\n"))
        return err_set(err, ERR_INTERNAL, 0, "a path that cannot be asked for");
    int n = snprintf(text, sizeof text,
                     "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUser-Agent: bake-agent/" BAKE_VERSION "\r\n"
                     "%sAccept: */*\r\nConnection: close\r\n\r\n",
                     request->path, request->peer->host, (unsigned)request->peer->port,
                     request->metadata ? "Metadata-Flavor: Google\r\n" : "");
    return wire_send(wire, text, n > 0 ? (size_t)n : 0, err);
}

static int fill(void *ctx, void *out, size_t cap, const char *what, size_t *ret_len, struct err *err)
{
    return wire_receive(ctx, out, cap, what, ret_len, err);
}

static int talk(struct http_reader *reader, const struct http_request *request, int *ret_status,
                struct buf *ret, struct err *err)
{
    struct http_head head;
    cleanup_wire struct wire wire = WIRE_INIT;
    reader->fill = fill;
    reader->ctx = &wire; // cppcheck-suppress autoVariables ; the reader is not used after this call
    if (wire_dial(request->peer, request->timeout_ms, &wire, err) < 0 || ask(&wire, request, err) < 0 ||
        http_read_head(reader, &head, err) < 0)
        return -1;
    if (request->metadata && !head.google)
        return err_set(err, ERR_VERIFY, 0,
                       "the answer lacks \"Metadata-Flavor: Google\": this is no metadata server");
    cleanup_buf struct buf body = BUF_INIT(ret->max - ret->len);
    if (head.status == 200 && http_read_body(reader, &head, &body, err) < 0)
        return -1;
    buf_add(ret, body.data, body.len);
    if (buf_check(ret, "the answer", err) < 0)
        return -1;
    *ret_status = head.status;
    return 0;
}

int http_get(const struct http_request *request, int *ret_status, struct buf *ret_body, struct err *err)
{
    cleanup_free struct http_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return err_oom(err);
    if (talk(reader, request, ret_status, ret_body, err) < 0)
        return err_wrap(err, "http://%s:%u%s", request->peer->host, (unsigned)request->peer->port,
                        request->path);
    return 0;
}
