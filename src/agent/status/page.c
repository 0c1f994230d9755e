#include "agent/status/page.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/http/wire.h"
#include "base/cleanup.h"
#include "base/clock.h"

enum { FIRST_PASSED_FD = 3 };

int page_socket(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    char own[16];
    snprintf(own, sizeof own, "%ld", (long)getpid());
    return pid && count && strcmp(pid, own) == 0 && strcmp(count, "1") == 0 ? FIRST_PASSED_FD : -1;
}

/* Until the empty line; what comes after it is of no interest. RET_FULL: it is longer than anybody needs. */
static int receive(const struct wire *wire, char request[static PAGE_REQUEST_MAX + 1], bool *ret_full,
                   struct err *err)
{
    size_t have = 0;
    request[0] = '\0';
    while (!memmem(request, have, "\r\n\r\n", 4)) {
        size_t len = 0;
        *ret_full = have == PAGE_REQUEST_MAX;
        if (*ret_full)
            return 0;
        if (wire_receive(wire, request + have, PAGE_REQUEST_MAX - have, "reading the request", &len, err) < 0)
            return -1;
        if (len == 0)
            return err_set(err, ERR_NETWORK, 0, "the client hung up");
        have += len;
        request[have] = '\0';
    }
    return 0;
}

static const char *judge(const char *request, bool full)
{
    static const char get[] = "GET ", path[] = "/metrics";
    if (full)
        return "431 Request Header Fields Too Large";
    if (strncmp(request, get, strlen(get)) != 0)
        return "405 Method Not Allowed";
    const char *at = request + strlen(get), *end = at + strcspn(at, " ?\r\n");
    if ((size_t)(end - at) != strlen(path) || memcmp(at, path, strlen(path)) != 0)
        return "404 Not Found";
    return "200 OK";
}

int page_answer(int client, const char *text, size_t len, struct err *err)
{
    const struct wire wire = {.fd = client, .deadline = clock_now_ms() + PAGE_CLIENT_MS};
    char request[PAGE_REQUEST_MAX + 1], head[256];
    bool full = false;
    if (receive(&wire, request, &full, err) < 0)
        return -1;
    const char *status = judge(request, full);
    bool ok = strncmp(status, "200", 3) == 0;
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                     status, ok ? len : 0);
    if (wire_send(&wire, head, (size_t)n, err) < 0)
        return -1;
    return ok ? wire_send(&wire, text, len, err) : 0;
}

static int renew(const struct page *page, struct buf *text, int64_t *made_at, struct err *err)
{
    int64_t now = clock_now_ms();
    if (text->len > 0 && now - *made_at < PAGE_FRESH_MS)
        return 0;
    buf_free(text);
    *text = (struct buf)BUF_INIT(PAGE_MAX);
    if (page->make(page->ctx, text, err) < 0)
        return -1;
    *made_at = clock_now_ms();
    return buf_check(text, "the page", err);
}

int page_serve(int listener, const struct page *page, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(PAGE_MAX);
    int64_t made_at = 0;
    for (struct pollfd poller = {.fd = listener, .events = POLLIN};;) {
        if (poll(&poller, 1, -1) < 0 && errno != EINTR)
            return err_sys(err, errno, "wait for a client");
        cleanup_close int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0 && (errno == EINVAL || errno == EBADF || errno == ENOTSOCK))
            return err_sys(err, errno, "accept a client");
        struct err gone;
        if (client < 0)
            continue;
        if (renew(page, &text, &made_at, err) < 0)
            return -1;
        (void)!page_answer(client, text.data, text.len, &gone);
        (void)shutdown(client, SHUT_WR);
    }
}
