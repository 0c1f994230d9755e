/* One HTTP exchange with Google's APIs, over libcurl.
 *
 * In:    a request: method, URL, headers, a body from memory or from a range of a file.
 * Out:   the answer, whatever its status: a 4xx, a 5xx and a 3xx are answers too. Redirects are not followed.
 * Fails: ERR_NETWORK: no answer, an incomplete one, or none in time: worth another attempt, but the server
 *        may have carried the request out. ERR_VERIFY: an untrusted certificate, or a URL that requests may
 *        not go to. ERR_REMOTE: an answer over its cap, or a proxy that refuses. ERR_IO: the body's file.
 *        ERR_USAGE: a malformed proxy in the environment. ERR_INTERRUPTED within 200 ms.
 * Owns:  a struct http owns its connections; an answer is the caller's until http_answer_free(), which wipes.
 * Never: sends a header to a host other than the URL's; uses plain http except to this machine (or, where the
 *        request says so, to a metadata server), and then never a proxy; shows a header, a body or a URL's
 *        query in a message; sends a body a second time.
 *
 * Several threads may share a struct http: each exchange takes a connection of its own and returns it for the
 * next. Proxies for https come from the environment as in curl(1).
 */
#ifndef BAKE_HTTP_HTTP_H
#define BAKE_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/run.h"
#include "http/answer.h"
#include "http/ca.h"
#include "http/url.h"

struct http;

struct http_options {
    unsigned connect_timeout_ms; /* 0: 15,000 */
    unsigned low_speed;          /* fewer bytes a second than this, both directions together; 0: 1,024 ... */
    unsigned low_speed_s;        /* ... for this many seconds count as a cut connection; 0: 30 */
    unsigned answer_s;           /* from the request's last byte to the answer's; 0: 180 */
    uint64_t upload_rate;        /* bytes a second of all bodies together; 0: no limit */
    struct ca_source ca;         /* empty: the system's. Borrowed until http_free(). */
};

/* OPTIONS may be NULL. Fails as ca_check() does. */
must_check int http_new(const struct http_options *options, struct http **ret, struct err *err);
void http_free(struct http *http);
static inline void http_free_fn(struct http **http)
{
    http_free(*http);
}
#define cleanup_http cleanup(http_free_fn)

struct http_header {
    const char *name, *value;
};

enum http_body {
    HTTP_NO_BODY, /* GET, HEAD, DELETE; a POST, PUT or PATCH sends Content-Length: 0 */
    HTTP_MEMORY,
    HTTP_FILE /* read with pread() only: threads may share the descriptor */
};

enum { HTTP_ANSWER_MAX = 4 << 20, HTTP_HEAD_MAX = 64 << 10 };

struct http_request {
    const char *method; /* GET, HEAD, POST, PUT, PATCH, DELETE */
    const char *url;
    const char *what;                  /* for messages: "upload of part 3"; NULL: METHOD and URL */
    const struct http_header *headers; /* User-Agent and Content-Length are added */
    size_t header_count;
    const char *bearer; /* token for the Authorization header; NULL: none */

    enum http_body body;
    const void *memory;
    int fd;
    uint64_t off;
    uint64_t len; /* bytes, of memory or of the file */

    /* Called in the calling thread with the bytes of the body sent so far; NULL: not reported. */
    void (*sent)(void *ctx, uint64_t bytes);
    void *sent_ctx;

    size_t answer_max; /* cap of the answer's body in memory; 0: HTTP_ANSWER_MAX */
    /* Receives the body of a 200 or 206 instead of the answer's buffer: answer_max does not apply then, and
     * answer_s ends with the first byte. -1 with err filled ends the exchange. NULL: into the buffer. */
    int (*sink)(void *ctx, const void *bytes, size_t len, struct err *err);
    void *sink_ctx;

    unsigned connect_timeout_ms; /* 0: the options' */
    unsigned answer_s;           /* 0: the options' */
    bool metadata;               /* to a metadata server: plain http to any host is allowed */
    bool secret;                 /* the answer holds a secret: its buffer is never reallocated */
};

must_check int http_exchange(struct http *http, const struct http_request *req, const struct run *run,
                             struct http_answer *ret, struct err *err);

#endif
