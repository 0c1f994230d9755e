/* A server on loopback that misbehaves in ways that no real server can be configured for: a function of the
 * test answers each connection, in another process.
 */
#ifndef BAKE_TESTS_SUPPORT_LIB_RAWSERVER_H
#define BAKE_TESTS_SUPPORT_LIB_RAWSERVER_H

#include <stddef.h>
#include <sys/types.h>

enum { RAW_REQUESTS = 16, RAW_REQUEST_CAP = 2048 };

struct raw_log { /* shared with the server's process */
    unsigned count;
    char requests[RAW_REQUESTS][RAW_REQUEST_CAP]; /* headers as received */
};

/* Answers the NTH connection (from 0), whose request header has been read; the caller closes it. */
typedef void raw_handler(int conn, unsigned nth, const char *request);

struct rawserver {
    unsigned port;
    pid_t pid;
    struct raw_log *log;
};

int rawserver_start(struct rawserver *server, raw_handler *handler);
void rawserver_stop(struct rawserver *server);

/* For handlers. raw_send() ends the process silently if the client is gone. */
void raw_text(int conn, const char *text);
/* LEN bytes of the test content from OFF: byte i is raw_byte(i). */
void raw_content(int conn, size_t off, size_t len);
unsigned char raw_byte(size_t i);

#endif
