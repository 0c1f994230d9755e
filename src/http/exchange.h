/* The state of one exchange while libcurl works on it; exchange.c sets it up, http.c drives it.
 *
 * In:    a request, and libcurl's callbacks.
 * Out:   the answer.
 * Fails: as http.h says; a callback that fails puts its error into `why` and ends the transfer.
 * Owns:  its libcurl handle and header list, and the answer until it is taken.
 */
#ifndef BAKE_HTTP_EXCHANGE_H
#define BAKE_HTTP_EXCHANGE_H

#include <pthread.h>

#include <curl/curl.h>

#include "http/http.h"
#include "http/transport.h"

/* A connection, used by one exchange at a time. */
struct http_slot {
    CURLM *multi;
    struct http_slot *next;
};

struct http {
    struct http_options options; /* with the defaults filled in */
    pthread_mutex_t lock;        /* of the members below */
    struct http_slot *idle;
    int64_t rate_free_ns; /* when everything granted so far will have been sent */
};

struct exchange {
    struct http *http;
    const struct http_request *req;
    const struct run *run;
    CURL *easy;
    struct curl_slist *headers;
    char where[256]; /* starts messages */
    bool shown;      /* the URL may appear in them */
    struct transport transport;
    char curl_why[CURL_ERROR_SIZE];
    struct http_answer answer;
    size_t head_bytes;
    bool head_whole;   /* its empty line has been received */
    uint64_t done;     /* bytes of the body handed to libcurl */
    uint64_t reported; /* bytes reported to req->sent */
    int64_t grant_ns;  /* when the next piece may be sent; 0: none reserved */
    size_t grant_len;  /* bytes of that piece */
    bool paused;       /* by the rate limit */
    bool in_sink;      /* the answer's body goes to the sink */
    bool failed;       /* a callback has, for the reason in why */
    struct err why;
};

must_check int exchange_begin(struct exchange *x, struct err *err);
void exchange_end(struct exchange *x);

#endif
