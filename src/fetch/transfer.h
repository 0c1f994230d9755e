/* One download from its URL to an artifact or a text: redirects, resuming, retries.
 *
 * In:    a request, and libcurl's events from the loop in fetch.c.
 * Out:   the artifact, or the text.
 * Fails: as fetch.h says; libcurl's callbacks report in `err`.
 * Owns:  its libcurl handle, and the lock and file of its partial download, until transfer_close().
 */
#ifndef BAKE_FETCH_TRANSFER_H
#define BAKE_FETCH_TRANSFER_H

#include <curl/curl.h>

#include "fetch/fetch.h"
#include "fetch/head.h"
#include "fetch/index.h"
#include "fetch/partial.h"
#include "http/url.h"
#include "http/retry.h"
#include "http/transport.h"

struct fetcher {
    CURLM *multi;
    struct fetch_options options; /* with the defaults filled in */
};

enum transfer_phase {
    TRANSFER_NEW,
    TRANSFER_WAITS,  /* for the URL's lock, or before a retry: until wake_ms */
    TRANSFER_ACTIVE, /* libcurl has it */
    TRANSFER_DONE
};

struct transfer {
    const struct fetcher *fetcher;
    struct cache *cache; /* NULL: the text goes to `text` */
    const struct run *run;
    struct fetch_request req;
    enum transfer_phase phase;
    int64_t wake_ms;

    struct url url; /* as requested */
    struct url hop; /* the current redirect's target; empty: url */
    unsigned hops;
    struct retry retry; /* counts attempts that brought little or nothing */
    uint64_t best;      /* bytes held at the end of the best attempt */
    bool wait_logged;   /* that it waits for the lock */
    bool renewed;       /* downloaded once more, after a wrong size or digest */

    CURL *easy;
    struct curl_slist *headers;
    char why[CURL_ERROR_SIZE];
    struct fetch_head head;
    bool asked_range, asked_if_new;
    bool no_range; /* this server's ranges cannot be trusted */
    enum { BODY_NONE, BODY_TAKEN, BODY_IGNORED, BODY_BAD_RANGE } body;
    size_t ignored;  /* bytes of an unwanted body */
    struct err *err; /* where callbacks report while libcurl runs */
    bool failed;     /* a callback has reported an error */

    struct partial part;
    struct buf *text;
    size_t text_start;
    bool known; /* index holds what an earlier run stored */
    struct fetch_index index;
    struct artifact result;
};

must_check int transfer_init(struct transfer *transfer, const struct fetcher *fetcher, struct cache *cache,
                             const struct fetch_request *req, const struct run *run, struct err *err);
/* Begins, or begins again; afterwards the phase says what it waits for. */
must_check int transfer_begin(struct transfer *transfer, struct err *err);
/* Handles the end of an attempt; CODE is libcurl's result. */
must_check int transfer_ended(struct transfer *transfer, CURLcode code, struct err *err);
void transfer_close(struct transfer *transfer);

/* request.c: sends the next request and receives its response. */
must_check int request_start(struct transfer *transfer, struct err *err);
/* Bytes of the content that are here already. */
uint64_t request_done(const struct transfer *transfer);
must_check int request_restart(struct transfer *transfer, const char *validator, uint64_t total,
                               struct err *err);
/* How its next request, or the one that just ended, is sent. */
struct transport request_transport(struct transfer *transfer);
/* The URL of this attempt without secrets, for messages. */
const char *request_where(const struct transfer *transfer);

#endif
