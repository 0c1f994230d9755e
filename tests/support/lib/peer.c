#include "peer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "text/hex.h"

struct connection {
    struct peer *peer;
    unsigned number;
    int fd;
};

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static const char *find_header(const char *head, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':') {
            line += 2 + len + 1;
            return line + strspn(line, " ");
        }
    return NULL;
}

/* Reads the head with its empty line, and the part of the body that came with it. */
static bool read_head(int fd, char *head, size_t *ret_len, char *rest, size_t *ret_rest)
{
    size_t len = 0;
    for (;;) {
        ssize_t n = recv(fd, head + len, PEER_HEAD_CAP - 1 - len, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
        head[len] = '\0';
        char *end = strstr(head, "\r\n\r\n");
        if (end) {
            size_t used = (size_t)(end - head) + 4;
            *ret_rest = len - used;
            memcpy(rest, head + used, len - used);
            end[2] = '\0';
            *ret_len = used - 2;
            return true;
        }
        if (len == PEER_HEAD_CAP - 1)
            return false;
    }
}

static bool read_body(int fd, struct peer_request *request, const char *rest, size_t rest_len, size_t len)
{
    request->body = malloc(len + 1);
    if (!request->body)
        return false;
    size_t have = rest_len < len ? rest_len : len;
    memcpy(request->body, rest, have);
    while (have < len) {
        ssize_t n = recv(fd, request->body + have, len - have, 0);
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    request->body[have] = '\0';
    request->body_len = have;
    return have == len;
}

static void pause_ms(unsigned ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&ts, NULL);
}

static bool answer(int fd, const struct peer_reply *reply, bool head_only)
{
    char head[4096];
    size_t len = reply->body ? strlen(reply->body) : 0;
    size_t send_len = reply->cut && reply->cut < len ? reply->cut : len;
    pause_ms(reply->delay_ms);
    if (reply->reset) {
        struct linger hard = {.l_onoff = 1};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        return false;
    }
    if (reply->status == 0)
        return false;
    snprintf(head, sizeof head, "HTTP/1.1 %d Said\r\nContent-Length: %zu\r\n%s\r\n", reply->status, len,
             reply->headers ? reply->headers : "");
    if (!send_all(fd, head, strlen(head)) || (!head_only && len && !send_all(fd, reply->body, send_len)))
        return false;
    return send_len == len && !reply->early;
}

/* Adds the request to the record and asks the test for the answer. */
static void ask(struct peer *peer, const struct peer_request *request, struct peer_reply *reply)
{
    pthread_mutex_lock(&peer->lock);
    unsigned nth = peer->count;
    if (nth < PEER_REQUESTS) {
        peer->requests[nth] = *request;
        peer->count = nth + 1;
        peer->handler(peer->ctx, nth, request, reply);
    }
    pthread_mutex_unlock(&peer->lock);
}

static bool serve_one(struct connection *conn)
{
    static __thread char head[PEER_HEAD_CAP], rest[PEER_HEAD_CAP];
    size_t head_len = 0, rest_len = 0;
    if (!read_head(conn->fd, head, &head_len, rest, &rest_len))
        return false;
    const char *length = find_header(head, "Content-Length");
    size_t len = length ? strtoul(length, NULL, 10) : 0;
    struct peer_request request = {.head = strdup(head), .connection = conn->number};
    struct peer_reply reply = {.status = 200};
    if (!request.head)
        return false;
    if (find_header(head, "X-Test-No-Body")) { /* the test answers before the body is read */
        ask(conn->peer, &request, &reply);
        if (reply.deaf) {
            while (!conn->peer->stopping)
                pause_ms(20);
            return false;
        }
        answer(conn->fd, &reply, false);
        shutdown(conn->fd, SHUT_WR); /* read what is still in flight, so that the connection is not reset */
        while (recv(conn->fd, rest, sizeof rest, 0) > 0)
            continue;
        return false;
    }
    bool whole = read_body(conn->fd, &request, rest, rest_len, len);
    ask(conn->peer, &request, &reply);
    return answer(conn->fd, &reply, strncmp(head, "HEAD ", 5) == 0) && whole;
}

static void *serve(void *ctx)
{
    struct connection *conn = ctx;
    while (serve_one(conn))
        continue;
    pthread_mutex_lock(&conn->peer->lock);
    conn->peer->fds[conn->number] = -1;
    pthread_mutex_unlock(&conn->peer->lock);
    close(conn->fd);
    free(conn);
    return NULL;
}

static void *accept_all(void *ctx)
{
    struct peer *peer = ctx;
    for (;;) {
        int fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
        struct connection *conn = fd >= 0 ? calloc(1, sizeof *conn) : NULL;
        if (!conn)
            return NULL;
        pthread_mutex_lock(&peer->lock);
        unsigned number = peer->connections;
        *conn = (struct connection){.peer = peer, .number = number, .fd = fd};
        bool room = number < PEER_CONNECTIONS && !peer->stopping;
        if (room) {
            peer->fds[number] = fd;
            room = pthread_create(&peer->threads[number], NULL, serve, conn) == 0;
            peer->connections += room;
        }
        pthread_mutex_unlock(&peer->lock);
        if (!room) {
            close(fd);
            free(conn);
        }
    }
}

int peer_start(struct peer *peer, peer_handler *handler, void *ctx)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    memset(peer, 0, sizeof *peer);
    peer->handler = handler;
    peer->ctx = ctx;
    pthread_mutex_init(&peer->lock, NULL);
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer->listener < 0 || bind(peer->listener, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(peer->listener, 64) < 0 || getsockname(peer->listener, (struct sockaddr *)&at, &len) < 0)
        return -1;
    peer->port = ntohs(at.sin_port);
    snprintf(peer->url, sizeof peer->url, "http://127.0.0.1:%u", peer->port);
    return pthread_create(&peer->acceptor, NULL, accept_all, peer) == 0 ? 0 : -1;
}

void peer_stop(struct peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    peer->stopping = true;
    pthread_mutex_unlock(&peer->lock);
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->acceptor, NULL);
    close(peer->listener);
    pthread_mutex_lock(&peer->lock);
    for (unsigned i = 0; i < peer->connections; i++)
        if (peer->fds[i] >= 0)
            shutdown(peer->fds[i], SHUT_RDWR);
    pthread_mutex_unlock(&peer->lock);
    for (unsigned i = 0; i < peer->connections; i++)
        pthread_join(peer->threads[i], NULL);
    for (unsigned i = 0; i < peer->count; i++) {
        free(peer->requests[i].head);
        free(peer->requests[i].body);
    }
    pthread_mutex_destroy(&peer->lock);
}

unsigned peer_count(struct peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    unsigned count = peer->count;
    pthread_mutex_unlock(&peer->lock);
    return count;
}

bool peer_has(struct peer *peer, unsigned nth, const char *line)
{
    if (nth >= peer_count(peer))
        return false;
    const char *head = peer->requests[nth].head;
    size_t len = strlen(line);
    for (const char *at = head; *at; at = strstr(at, "\r\n") + 2)
        if (strncasecmp(at, line, len) == 0 && at[len] == '\r')
            return true;
    return false;
}

char *peer_form(struct peer *peer, unsigned nth, const char *field)
{
    size_t name = strlen(field);
    if (nth >= peer_count(peer) || !peer->requests[nth].body)
        return NULL;
    for (const char *at = peer->requests[nth].body; at; at = strchr(at, '&')) {
        at += *at == '&';
        if (strncmp(at, field, name) != 0 || at[name] != '=')
            continue;
        char *value = strdup(at + name + 1), *out = value;
        if (!value)
            return NULL;
        for (const char *c = value; *c && *c != '&'; c++) {
            bool escaped = *c == '%' && hex_digit(c[1]) >= 0 && hex_digit(c[2]) >= 0;
            *out++ = escaped ? (char)(hex_digit(c[1]) * 16 + hex_digit(c[2])) : *c == '+' ? ' ' : *c;
            c += escaped ? 2 : 0;
        }
        *out = '\0';
        return value;
    }
    return NULL;
}
