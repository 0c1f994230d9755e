#include "agent/http/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

int wire_peer_parse(const char *text, struct wire_peer *ret, struct err *err)
{
    struct wire_peer peer = {.port = 80};
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
    return err_set(err, ERR_USAGE, 0, "\"%.100s\" is not an address: give an IPv4 address, or ADDRESS:PORT",
                   text);
}

static int wait_for(const struct wire *wire, short events, const char *what, struct err *err)
{
    for (;;) {
        struct pollfd fd = {.fd = wire->fd, .events = events};
        int64_t left = wire->deadline - clock_now_ms();
        if (left <= 0)
            return err_set(err, ERR_NETWORK, 0, "too slow: time ran out while %s", what);
        int n = poll(&fd, 1, left > 60000 ? 60000 : (int)left);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_set(err, ERR_NETWORK, errno, "poll");
    }
}

static int dial(const struct wire *wire, const struct wire_peer *peer, struct err *err)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(peer->port)};
    int status = 0;
    socklen_t len = sizeof status;
    if (inet_pton(AF_INET, peer->host, &addr.sin_addr) != 1)
        return err_set(err, ERR_INTERNAL, 0, "no IPv4 address: %s", peer->host);
    if (connect(wire->fd, (const struct sockaddr *)&addr, sizeof addr) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return err_set(err, ERR_NETWORK, errno, "connect");
    if (wait_for(wire, POLLOUT, "connecting", err) < 0)
        return -1;
    if (getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &status, &len) < 0)
        status = errno;
    return status == 0 ? 0 : err_set(err, ERR_NETWORK, status, "connect");
}

int wire_dial(const struct wire_peer *peer, unsigned timeout_ms, struct wire *ret, struct err *err)
{
    cleanup_wire struct wire wire = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
                                     .deadline = clock_now_ms() + timeout_ms};
    if (wire.fd < 0)
        return err_set(err, ERR_NETWORK, errno, "socket");
    if (dial(&wire, peer, err) < 0)
        return -1;
    *ret = wire;
    wire.fd = -1;
    return 0;
}

void wire_close(struct wire *wire)
{
    cleanup_close_fn(&wire->fd);
    wire->fd = -1;
}

int wire_send(const struct wire *wire, const void *bytes, size_t len, struct err *err)
{
    const char *text = bytes;
    for (size_t at = 0; at < len;) {
        ssize_t sent = send(wire->fd, text + at, len - at, MSG_NOSIGNAL);
        if (sent >= 0) {
            at += (size_t)sent;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return err_set(err, ERR_NETWORK, errno, "send");
        if (wait_for(wire, POLLOUT, "sending the request", err) < 0)
            return -1;
    }
    return 0;
}

int wire_receive(const struct wire *wire, void *out, size_t cap, const char *what, size_t *ret_len,
                 struct err *err)
{
    for (;;) {
        /* Checked even if bytes are pending, so that the deadline also ends a peer that sends forever. */
        if (wait_for(wire, POLLIN, what, err) < 0)
            return -1;
        ssize_t n = recv(wire->fd, out, cap, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n < 0)
            return err_set(err, ERR_NETWORK, errno, "read the answer");
        *ret_len = (size_t)n;
        return 0;
    }
}
