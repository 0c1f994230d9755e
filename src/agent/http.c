#include "agent/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "agent/http_head.h"

struct conn {
    int fd;
    int64_t deadline; /* of http_now_ms() */
    size_t at, have;  /* what of in[] is unread */
    char in[HTTP_HEADER_MAX];
};

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

static int wait_for(const struct conn *conn, short events, const char *what, struct err *err)
{
    for (;;) {
        struct pollfd fd = {.fd = conn->fd, .events = events};
        int64_t left = conn->deadline - http_now_ms();
        if (left <= 0)
            return err_set(err, ERR_NETWORK, 0, "too slow: time ran out while %s", what);
        int n = poll(&fd, 1, left > 60000 ? 60000 : (int)left);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_set(err, ERR_NETWORK, errno, "poll");
    }
}

static int dial(struct conn *conn, const struct http_peer *peer, struct err *err)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(peer->port)};
    int status = 0;
    socklen_t len = sizeof status;
    if (inet_pton(AF_INET, peer->host, &addr.sin_addr) != 1)
        return err_set(err, ERR_INTERNAL, 0, "no IPv4 address: %s", peer->host);
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (conn->fd < 0)
        return err_set(err, ERR_NETWORK, errno, "socket");
    if (connect(conn->fd, (const struct sockaddr *)&addr, sizeof addr) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return err_set(err, ERR_NETWORK, errno, "connect");
    if (wait_for(conn, POLLOUT, "connecting", err) < 0)
        return -1;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &status, &len) < 0)
        status = errno;
    return status == 0 ? 0 : err_set(err, ERR_NETWORK, status, "connect");
}

static int ask(struct conn *conn, const struct http_request *request, struct err *err)
{
    char text[HTTP_PATH_MAX + 256];
    if (strlen(request->path) > HTTP_PATH_MAX || strpbrk(request->path, " \t\r\n"))
        return err_set(err, ERR_INTERNAL, 0, "a path that cannot be asked for");
    int n = snprintf(text, sizeof text,
                     "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUser-Agent: bake-agent/" BAKE_VERSION "\r\n"
                     "%sAccept: */*\r\nConnection: close\r\n\r\n",
                     request->path, request->peer->host, (unsigned)request->peer->port,
                     request->metadata ? "Metadata-Flavor: Google\r\n" : "");
    for (size_t at = 0, len = n > 0 ? (size_t)n : 0; at < len;) {
        ssize_t sent = send(conn->fd, text + at, len - at, MSG_NOSIGNAL);
        if (sent >= 0) {
            at += (size_t)sent;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return err_set(err, ERR_NETWORK, errno, "send");
        if (wait_for(conn, POLLOUT, "sending the request", err) < 0)
            return -1;
    }
    return 0;
}

/* Adds what there is to in[]; *RET_EOF when the peer is done. */
static int fill(struct conn *conn, const char *what, bool *ret_eof, struct err *err)
{
    if (conn->at == conn->have)
        conn->at = conn->have = 0;
    for (;;) {
        /* Asked even when bytes are there: a peer that sends for ever is held to the deadline too. */
        if (wait_for(conn, POLLIN, what, err) < 0)
            return -1;
        ssize_t n = recv(conn->fd, conn->in + conn->have, sizeof conn->in - conn->have, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n < 0)
            return err_set(err, ERR_NETWORK, errno, "read the answer");
        conn->have += (size_t)n;
        *ret_eof = n == 0;
        return 0;
    }
}

static int read_head(struct conn *conn, struct http_head *ret, struct err *err)
{
    const char *end;
    while (!(end = memmem(conn->in, conn->have, "\r\n\r\n", 4))) {
        bool eof = false;
        if (conn->have == sizeof conn->in)
            return err_set(err, ERR_VERIFY, 0, "the answer's header is over %d bytes", HTTP_HEADER_MAX);
        if (fill(conn, "waiting for the answer", &eof, err) < 0)
            return -1;
        if (eof)
            return err_set(err, ERR_NETWORK, 0, "the connection was closed before the end of the header");
    }
    conn->at = (size_t)(end - conn->in) + 4;
    return http_head_parse(conn->in, conn->at, ret, err);
}

/* LEN bytes of the body. */
static int read_exactly(struct conn *conn, uint64_t len, struct buf *ret, struct err *err)
{
    if (len > ret->max - ret->len)
        return err_set(err, ERR_VERIFY, 0, "the answer is over %zu bytes", ret->max);
    while (len > 0) {
        bool eof = false;
        if (conn->at == conn->have && fill(conn, "reading the answer", &eof, err) < 0)
            return -1;
        if (eof)
            return err_set(err, ERR_NETWORK, 0, "the answer ended %llu bytes early", (unsigned long long)len);
        size_t n = conn->have - conn->at;
        n = n > len ? (size_t)len : n;
        buf_add(ret, conn->in + conn->at, n);
        conn->at += n;
        len -= n;
    }
    return buf_check(ret, "the answer", err);
}

/* A line of the chunked coding into OUT, without its CRLF. */
static int read_line(struct conn *conn, char *out, size_t cap, struct err *err)
{
    for (size_t len = 0;;) {
        bool eof = false;
        if (conn->at == conn->have && fill(conn, "reading the answer", &eof, err) < 0)
            return -1;
        if (eof)
            return err_set(err, ERR_NETWORK, 0, "the answer ended inside its chunks");
        char c = conn->in[conn->at++];
        if (c == '\n' && len > 0 && out[len - 1] == '\r') {
            out[len - 1] = '\0';
            return 0;
        }
        if (len == cap || c == '\0')
            return err_set(err, ERR_VERIFY, 0, "the answer's chunks are malformed");
        out[len++] = c;
    }
}

static int read_chunked(struct conn *conn, struct buf *ret, struct err *err)
{
    char line[256];
    uint64_t size;
    for (;;) {
        if (read_line(conn, line, sizeof line, err) < 0)
            return -1;
        if (!http_chunk_size(line, &size))
            return err_set(err, ERR_VERIFY, 0, "the answer's chunks are malformed: a size is no number");
        if (size == 0)
            break;
        if (read_exactly(conn, size, ret, err) < 0 || read_line(conn, line, sizeof line, err) < 0)
            return -1;
        if (line[0] != '\0')
            return err_set(err, ERR_VERIFY, 0,
                           "the answer's chunks are malformed: one is longer than it says");
    }
    for (unsigned i = 0; i < 64; i++) { /* trailers say nothing that is used */
        if (read_line(conn, line, sizeof line, err) < 0)
            return -1;
        if (line[0] == '\0')
            return 0;
    }
    return err_set(err, ERR_VERIFY, 0, "the answer has too many trailers");
}

static int read_to_end(struct conn *conn, struct buf *ret, struct err *err)
{
    for (bool eof = false; !eof;) {
        buf_add(ret, conn->in + conn->at, conn->have - conn->at);
        conn->at = conn->have;
        if (ret->failed)
            return err_set(err, ERR_VERIFY, 0, "the answer is over %zu bytes", ret->max);
        if (fill(conn, "reading the answer", &eof, err) < 0)
            return -1;
    }
    return 0;
}

static int talk(struct conn *conn, const struct http_request *request, int *ret_status, struct buf *ret,
                struct err *err)
{
    struct http_head head;
    if (dial(conn, request->peer, err) < 0 || ask(conn, request, err) < 0 || read_head(conn, &head, err) < 0)
        return -1;
    if (request->metadata && !head.google)
        return err_set(err, ERR_VERIFY, 0,
                       "the answer lacks \"Metadata-Flavor: Google\": this is no metadata server");
    cleanup_buf struct buf body = BUF_INIT(ret->max - ret->len);
    if (head.status == 200) {
        int got = head.chunked      ? read_chunked(conn, &body, err)
                  : head.has_length ? read_exactly(conn, head.length, &body, err)
                                    : read_to_end(conn, &body, err);
        if (got < 0)
            return -1;
    }
    buf_add(ret, body.data, body.len);
    if (buf_check(ret, "the answer", err) < 0)
        return -1;
    *ret_status = head.status;
    return 0;
}

int http_get(const struct http_request *request, int *ret_status, struct buf *ret_body, struct err *err)
{
    cleanup_free struct conn *conn = malloc(sizeof *conn);
    if (!conn)
        return err_oom(err);
    conn->fd = -1;
    conn->at = conn->have = 0;
    conn->deadline = http_now_ms() + request->timeout_ms;
    int status = talk(conn, request, ret_status, ret_body, err);
    cleanup_close_fn(&conn->fd);
    if (status < 0)
        return err_wrap(err, "http://%s:%u%s", request->peer->host, (unsigned)request->peer->port,
                        request->path);
    return 0;
}
