/* A cache that several machines share: inputs in a bucket, each named by its SHA-256.
 *
 * In:    gs://BUCKET/FOLDER, digests from the lock, files that were verified.
 * Out:   entries of the local cache, made from objects whose bytes are right.
 * Fails: for a URL that is none. Otherwise nothing does: no credentials, a bucket that cannot be read or written, or holds
 *        something else, cost a warning, and the input's own address is asked.
 * Owns:  a session with Google from the first question on, until bucket_cache_close().
 * Never: replaces or removes an object; gives out bytes that do not have the digest asked for.
 */
#ifndef BAKE_FRONT_REMOTE_BUCKET_CACHE_H
#define BAKE_FRONT_REMOTE_BUCKET_CACHE_H

#include "bake/remote/session.h"

struct bucket_cache_options {
    const char *url;                       /* NULL: there is none */
    const struct session_options *session; /* whose credentials */
};

struct bucket_cache {
    struct common *common;
    struct bucket_cache_options options;
    struct session session;
    char *bucket, *folder; /* "" or ends in '/' */
    bool open, silent;     /* silent: it was refused once, and is not asked again */
};

/* Is it gs://BUCKET or gs://BUCKET/FOLDER? */
must_check int bucket_cache_check(const char *url, struct err *err);
must_check int bucket_cache_open(struct common *common, const struct bucket_cache_options *options,
                                 struct bucket_cache *ret, struct err *err);
void bucket_cache_close(struct bucket_cache *remote);
#define cleanup_bucket_cache cleanup(bucket_cache_close)

/* Brings the download of that digest into the cache, when it is not there and the bucket has it. SIZE 0: not known. NAME is for
 * messages. -1: interrupted, or the local cache fails. */
must_check int bucket_cache_take(struct bucket_cache *remote, struct cache *cache, const char *name,
                                 const struct sha256 *sha256, uint64_t size, struct err *err);
/* Puts it there, when it is not. -1: interrupted. */
must_check int bucket_cache_give(struct bucket_cache *remote, const char *name, const struct sha256 *sha256,
                                 int fd, uint64_t size, struct err *err);

#endif
