/* A small HTTP/1.1 server on loopback, in threads of the test: keeps connections open, reads whole bodies,
 * records every request, and answers what a function of the test returns.
 *
 * Owns:  its threads, connections and record, until peer_stop().
 */
#ifndef BAKE_TESTS_SUPPORT_LIB_PEER_H
#define BAKE_TESTS_SUPPORT_LIB_PEER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { PEER_REQUESTS = 128, PEER_HEAD_CAP = 16384, PEER_CONNECTIONS = 128 };

struct peer_request {
    char *head; /* request line and headers as received */
    char *body; /* NUL-terminated */
    size_t body_len;
    unsigned connection; /* the number of its connection, from 0 */
};

struct peer_reply {
    int status;          /* 0: the connection is closed without an answer */
    const char *headers; /* whole lines, each with its CRLF; NULL: none */
    const char *body;    /* NULL: none */
    size_t cut;          /* closes the connection after this many bytes of the body; 0: sends all */
    unsigned delay_ms;   /* before the answer */
    bool early;          /* answers before the body was read, then closes */
    bool deaf;           /* neither reads the body nor answers until peer_stop() */
    bool reset;          /* the connection is closed with RST */
};

typedef void peer_handler(void *ctx, unsigned nth, const struct peer_request *request,
                          struct peer_reply *reply);

struct peer {
    unsigned port;
    char url[48]; /* "http://127.0.0.1:PORT" */
    peer_handler *handler;
    void *ctx;
    int listener;
    pthread_t acceptor;
    pthread_mutex_t lock; /* guards the members below */
    bool stopping;
    unsigned connections, count;
    int fds[PEER_CONNECTIONS];
    pthread_t threads[PEER_CONNECTIONS];
    struct peer_request requests[PEER_REQUESTS];
};

/* 0 or -1. The handler is called once per request, with the lock held; to choose "deaf" or "early" it is
 * called before the body is read. */
int peer_start(struct peer *peer, peer_handler *handler, void *ctx);
void peer_stop(struct peer *peer);

/* True if LINE is request NTH's request line ("POST /token HTTP/1.1") or one of its headers ("Content-Length:
 * 4"; ignores case). */
bool peer_has(struct peer *peer, unsigned nth, const char *line);
/* The decoded value of a field of request NTH's form, to be freed; NULL if there is none. */
char *peer_form(struct peer *peer, unsigned nth, const char *field);
unsigned peer_count(struct peer *peer);

#endif
