#include "rawserver.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void send_all(int conn, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    while (len > 0) {
        ssize_t n = send(conn, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        at += n;
        len -= (size_t)n;
    }
}

void raw_text(int conn, const char *text)
{
    send_all(conn, text, strlen(text));
}

unsigned char raw_byte(size_t i)
{
    return (unsigned char)(i * 2654435761U >> 13);
}

void raw_content(int conn, size_t off, size_t len)
{
    unsigned char chunk[4096];
    while (len > 0) {
        size_t n = len < sizeof chunk ? len : sizeof chunk;
        for (size_t i = 0; i < n; i++)
            chunk[i] = raw_byte(off + i);
        send_all(conn, chunk, n);
        off += n;
        len -= n;
    }
}

static void read_request(int conn, char *to)
{
    size_t len = 0;
    to[0] = '\0';
    while (len < RAW_REQUEST_CAP - 1 && !strstr(to, "\r\n\r\n")) {
        ssize_t n = read(conn, to + len, RAW_REQUEST_CAP - 1 - len);
        if (n <= 0)
            return;
        len += (size_t)n;
        to[len] = '\0';
    }
}

_Noreturn static void serve(int listener, struct raw_log *log, raw_handler *handler)
{
    static char spare[RAW_REQUEST_CAP];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int conn = accept(listener, NULL, NULL);
        if (conn < 0)
            _exit(1);
        unsigned nth = log->count;
        char *request = nth < RAW_REQUESTS ? log->requests[nth] : spare;
        read_request(conn, request);
        log->count = nth + 1;
        handler(conn, nth, request);
        shutdown(conn, SHUT_WR);
        close(conn);
    }
}

int rawserver_start(struct rawserver *server, raw_handler *handler)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct raw_log *log = mmap(NULL, sizeof *log, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (listener < 0 || log == MAP_FAILED || bind(listener, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(listener, 16) < 0 || getsockname(listener, (struct sockaddr *)&at, &len) < 0)
        return -1;
    server->port = ntohs(at.sin_port);
    server->log = log;
    server->pid = fork();
    if (server->pid == 0)
        serve(listener, log, handler);
    close(listener);
    return server->pid > 0 ? 0 : -1;
}

void rawserver_stop(struct rawserver *server)
{
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
    if (server->log)
        munmap(server->log, sizeof *server->log);
    *server = (struct rawserver){0};
}
