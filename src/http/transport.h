/* What bake's HTTP clients (fetch, cloud) share: how a libcurl handle is set up, and what its errors mean.
 *
 * In:    where a request goes and whom it trusts; the CURLcode of an attempt that failed.
 * Out:   a fresh handle with the settings every request has; an error with its kind and what to do about it.
 * Fails: ERR_NETWORK is temporary: no address, no route, no answer or an incomplete one. Another attempt may
 *        succeed, so clients retry this kind and no other. ERR_VERIFY: the server's certificate. ERR_REMOTE:
 *        the server or a proxy refuses. ERR_IO: this machine's CA certificates. ERR_USAGE: a proxy's URL in
 *        the environment. ERR_RECIPE: a URL that libcurl rejects. ERR_INTERNAL: libcurl was misused, or lacks
 *        TLS.
 * Owns:  nothing: the handle is the caller's.
 * Never: shows a proxy's user and password.
 *
 * Each attempt gets a handle of its own. A failed one keeps state: after a failed look-up, libcurl 7.88
 * refuses CURLOPT_BUFFERSIZE on it from then on. Connections belong to the multi handle, so nothing is lost.
 */
#ifndef BAKE_HTTP_TRANSPORT_H
#define BAKE_HTTP_TRANSPORT_H

#include <stdbool.h>

#include <curl/curl.h>

#include "http/ca.h"

struct transport {
    const char *url;            /* http or https; borrowed while the handle is in use */
    char *why;                  /* CURL_ERROR_SIZE bytes for libcurl's own message */
    const struct ca_source *ca; /* borrowed while the handle is in use */
    unsigned connect_timeout_ms;
    bool direct; /* without a proxy */
    bool again;  /* after a failure: do not use cached addresses */
};

/* Replaces *EASY, which may be NULL, with a new handle. */
must_check int transport_begin(const struct transport *how, CURL **easy, struct err *err);
/* The result of setting options: 0, or -1 with err filled. */
must_check int transport_set(CURLcode code, struct err *err);

/* Fills ERR with the reason. WHERE starts the message: the request, without secrets. Returns -1. */
int transport_failed(const struct transport *how, CURL *easy, CURLcode code, const char *where,
                     struct err *err);

#endif
