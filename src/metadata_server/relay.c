#include "metadata_server/relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "io/file.h"

enum { CHUNK = 16 << 10 };

static int dial(uint16_t port, int *ret, struct err *err)
{
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(err, errno, "socket");
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) < 0)
        return err_set(err, ERR_NETWORK, errno, "connect to port %u of this machine", (unsigned)port);
    *ret = steal_fd(&fd);
    return 0;
}

/* Copies the bytes available; *ret_end is set at end of file or if the peer is gone. */
static int forward(int from, int to, const char *name, bool *ret_end, struct err *err)
{
    char chunk[CHUNK];
    ssize_t n = read(from, chunk, sizeof chunk);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n <= 0) {
        *ret_end = true;
        return 0;
    }
    return file_write(to, chunk, (size_t)n, name, err);
}

int relay_run(int from, int to, uint16_t port, struct err *err)
{
    cleanup_close int server = -1;
    if (dial(port, &server, err) < 0)
        return -1;
    bool asked = false, answered = false;
    while (!answered) {
        struct pollfd fds[2] = {{.fd = asked ? -1 : from, .events = POLLIN},
                                {.fd = server, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            return err_sys(err, errno, "poll");
        }
        if (fds[0].revents) {
            if (forward(from, server, "the metadata server", &asked, err) < 0)
                return -1;
            if (asked)
                shutdown(server, SHUT_WR);
        }
        if (fds[1].revents && forward(server, to, "the guest", &answered, err) < 0)
            return -1;
    }
    return 0;
}
