/* URLs and forms for Google's APIs: the one place that percent-encodes names.
 *
 * In:    a base from struct endpoints; names and values as they are.
 * Out:   BASE/SEGMENT/...?KEY=VALUE&..., every segment and value percent-encoded.
 * Fails: the buffer is sticky; url_check() reports what did not fit.
 */
#ifndef BAKE_CLOUD_API_URL_H
#define BAKE_CLOUD_API_URL_H

#include <stdint.h>

#include "base/buf.h"
#include "http/url.h"

#define URL_INIT BUF_INIT(HTTP_URL_MAX)

/* Starts a URL: BASE and the segments of its path, up to the first NULL. */
#define url_path(url, base, ...) url_path_of(url, base, (const char *const[]){__VA_ARGS__, NULL})
void url_path_of(struct buf *url, const char *base, const char *const *segments);

/* A parameter of the query: "?KEY=VALUE" the first time, then "&KEY=VALUE". */
void url_query(struct buf *url, const char *key, const char *value);
void url_query_uint(struct buf *url, const char *key, uint64_t value);
/* VALUE goes in as it is: a selection of fields with its commas and parentheses. */
void url_query_raw(struct buf *url, const char *key, const char *value);

/* 0, or -1 with ERR_INTERNAL: the URL does not fit. */
must_check int url_check(const struct buf *url, struct err *err);

/* A field of an application/x-www-form-urlencoded body. */
void url_form_add(struct buf *form, const char *name, const char *value);

#endif
