/* One download from its URL to an artifact or a text: redirects, resuming, retries.
 *
 * In:    a request, and libcurl's events from the loop in fetch.c.
 * Out:   the artifact, or the text.
 * Fails: as fetch.h says; the error is kept in the transfer until the loop takes it.
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

    struct url url; /* as asked for */
    struct url hop; /* where the redirects lead; empty: url */
    unsigned hops;
    struct retry retry; /* counts attempts that brought little or nothing */
    uint64_t best;      /* bytes that were here at the end of the best attempt */
    bool told, renewed; /* of the wait for the lock; that a digest that did not match led to a new download */

    CURL *easy;
    struct curl_slist *headers;
    char why[CURL_ERROR_SIZE];
    struct fetch_head head;
    bool asked_range, asked_if_new;
    bool no_range; /* this server's ranges cannot be trusted */
    enum { BODY_NONE, BODY_TAKEN, BODY_IGNORED, BODY_BAD_RANGE } body;
    size_t ignored;  /* bytes of a body that is not wanted */
    struct err *err; /* set while libcurl runs: where callbacks report */
    bool failed;     /* a callback has */

    struct partial part;
    struct buf *text;
    size_t text_start;
    bool known; /* index is what an earlier run remembered */
    struct fetch_index index;
    struct artifact result;
};

must_check int transfer_init(struct transfer *transfer, const struct fetcher *fetcher, struct cache *cache,
                             const struct fetch_request *req, const struct run *run, struct err *err);
/* Begins or begins again: afterwards the phase says what is to be waited for. */
must_check int transfer_begin(struct transfer *transfer, struct err *err);
/* What libcurl said at the end of an attempt. */
must_check int transfer_ended(struct transfer *transfer, CURLcode code, struct err *err);
void transfer_close(struct transfer *transfer);

/* request.c: sets up the next request, and takes its response in. */
must_check int request_start(struct transfer *transfer, struct err *err);
/* Bytes of the wanted content that are here already. */
uint64_t request_done(const struct transfer *transfer);
must_check int request_restart(struct transfer *transfer, const char *validator, uint64_t total,
                               struct err *err);
/* How its next request, or the one that just ended, is sent. */
struct transport request_transport(struct transfer *transfer);
/* Where this attempt's bytes come from, fit to be shown. */
const char *request_where(const struct transfer *transfer);

#endif
