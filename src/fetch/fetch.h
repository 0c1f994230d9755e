/* Fetching inputs: http, https and file URLs into the cache.
 *
 * In:    URLs, with the size and SHA-256 they must have where a lock knows them.
 * Out:   artifacts: descriptors of whole files, hashed while they arrived; not verified yet.
 * Fails: ERR_NETWORK: no answer, or cut off, after all retries. ERR_REMOTE: the server or a proxy said no, or
 *        redirected to where it may not. ERR_VERIFY: too large, another size or digest than asked for, a
 *        certificate nobody vouches for. ERR_SPACE, ERR_IO: this machine. ERR_RECIPE: not a URL. ERR_USAGE:
 *        unusable CA certificates, or a malformed proxy in the environment. ERR_INTERRUPTED within 200 ms.
 * Owns:  a fetcher owns its connections; artifacts belong to the caller.
 * Never: asks the network for what the cache has by digest; resumes a download whose file changed on the
 *        server; follows https to http; sends credentials to a second host; shows credentials; decodes
 * content.
 *
 * A download that was cut is resumed (Range and If-Range, RFC 9110 sections 13.1.5 and 14), in this run and
 * in later ones, when the server gave a strong validator. Proxies come from the environment as in curl(1).
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
    unsigned low_speed;          /* bytes a second ... 0: 1,024 */
    unsigned low_speed_s;        /* ... for this many seconds are a cut connection; 0: 30 */
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

enum fetch_says { FETCH_LOCK_SAYS, FETCH_RECIPE_SAYS, FETCH_PUBLISHER_SAYS };

struct fetch_request {
    const char *name;          /* for progress and messages */
    const char *url;           /* http, https, or file:/abs (percent-encoded as URLs are) */
    uint64_t max_size;         /* bytes; 0: 16 GiB */
    uint64_t want_size;        /* bytes; 0: not known */
    const struct sha256 *want; /* NULL: not known */
    enum fetch_says want_by;   /* who says so */
    struct progress
        *progress; /* told of a download's bytes as they come in, unverified; NULL: nobody reads along */
};

/* Fetches COUNT inputs in parallel; ret[i] answers reqs[i]. All or none: one failure stops the rest, which a
 * later run resumes. */
must_check int fetch_all(struct fetcher *fetcher, struct cache *cache, const struct fetch_request *reqs,
                         size_t count, const struct run *run, struct artifact *ret, struct err *err);

/* A small text, such as a version file, past the cache. RET is appended to; its cap should be over MAX. */
must_check int fetch_text(struct fetcher *fetcher, const char *url, size_t max, struct buf *ret,
                          const struct run *run, struct err *err);

#endif
