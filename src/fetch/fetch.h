/* Fetching inputs: http, https and file URLs into the cache.
 *
 * In:    URLs, with the size and SHA-256 they must have where a lock knows them.
 * Out:   artifacts: descriptors of whole files, hashed while they arrived; not verified yet.
 * Fails: ERR_NETWORK: after all retries, no answer or an incomplete one. ERR_REMOTE: the server or a proxy
 *        refused, or a redirect is not allowed. ERR_VERIFY: too large, not the required size or digest, an
 *        untrusted certificate. ERR_SPACE, ERR_IO: this machine. ERR_RECIPE: not a URL. ERR_USAGE: unusable
 *        CA certificates, or a malformed proxy in the environment. ERR_INTERRUPTED within 200 ms.
 * Owns:  a fetcher owns its connections; artifacts belong to the caller.
 * Never: downloads what the cache holds under the required digest; resumes a download whose file changed on
 *        the server; follows a redirect from https to http; sends credentials to a second host, or shows
 *        them; decodes content.
 *
 * An interrupted download is resumed (Range and If-Range, RFC 9110 sections 13.1.5 and 14), in the same run
 * or a later one, if the server sent a strong validator. Proxies come from the environment as in curl(1).
 */
#ifndef BAKE_FETCH_FETCH_H
#define BAKE_FETCH_FETCH_H

#include "base/buf.h"
#include "base/run.h"
#include "fetch/types.h"
#include "http/ca.h"
#include "cache/cache.h"
#include "task/progress.h"

struct fetch_options {
    unsigned parallel;           /* transfers at once; 0: 4 */
    int retries;                 /* after the first attempt; 0: 5, negative: none */
    unsigned backoff_ms;         /* before the first retry, doubled for each further one; 0: 500 */
    unsigned connect_timeout_ms; /* 0: 15,000 */
    unsigned low_speed;          /* fewer bytes a second than this; 0: 1,024 ... */
    unsigned low_speed_s;        /* ... for this many seconds count as a cut connection; 0: 30 */
    struct ca_source ca;         /* empty: the system's. Borrowed until fetcher_free(). */
};

struct fetcher;

/* OPTIONS may be NULL. */
must_check int fetcher_new(const struct fetch_options *options, struct fetcher **ret, struct err *err);
void fetcher_free(struct fetcher *fetcher);
static inline void fetcher_free_fn(struct fetcher **fetcher)
{
    fetcher_free(*fetcher);
}
#define cleanup_fetcher cleanup(fetcher_free_fn)

enum fetch_pin { FETCH_PIN_LOCK, FETCH_PIN_RECIPE, FETCH_PIN_PUBLISHER };

struct fetch_request {
    const char *name;          /* for progress and messages */
    const char *url;           /* http, https, or file:/abs (percent-encoded as URLs are) */
    uint64_t max_size;         /* bytes; 0: 16 GiB */
    uint64_t want_size;        /* bytes; 0: not known */
    const struct sha256 *want; /* NULL: not known */
    enum fetch_pin want_from;  /* where WANT comes from, for messages */
    /* Receives a download's bytes as they arrive, unverified; NULL: not followed. */
    struct progress *progress;
};

/* Fetches COUNT inputs in parallel; ret[i] answers reqs[i]. All or nothing: one failure stops the rest; a
 * later run resumes them. */
must_check int fetch_all(struct fetcher *fetcher, struct cache *cache, const struct fetch_request *reqs,
                         size_t count, const struct run *run, struct artifact *ret, struct err *err);

/* Appends a small text, such as a version file, to RET, whose cap should exceed MAX. Bypasses the cache. */
must_check int fetch_text(struct fetcher *fetcher, const char *url, size_t max, struct buf *ret,
                          const struct run *run, struct err *err);

#endif
