/* A cache that several machines share: inputs in a bucket, each named by its SHA-256.
 *
 * In:    gs://BUCKET/FOLDER, digests from the lock, verified files.
 * Out:   entries of the local cache, from objects whose bytes match their digest.
 * Fails: for a malformed URL only. Missing credentials, a bucket that cannot be read or written, or one that
 *        holds other bytes cost a warning; the input is then fetched from its own address.
 * Owns:  a session with Google from its first use until bucket_cache_close().
 * Never: replaces or removes an object; returns bytes that do not match the digest.
 */
#ifndef BAKE_FRONT_REMOTE_BUCKET_CACHE_H
#define BAKE_FRONT_REMOTE_BUCKET_CACHE_H

#include "bake/remote/session.h"

struct bucket_cache_options {
    const char *url;                       /* NULL: no shared cache */
    const struct session_options *session; /* whose credentials */
};

struct bucket_cache {
    struct common *common;
    struct bucket_cache_options options;
    struct session session;
    char *bucket, *folder; /* "" or ends in '/' */
    bool open, silent;     /* silent: it failed once and is not used again */
};

/* Is it gs://BUCKET or gs://BUCKET/FOLDER? */
must_check int bucket_cache_check(const char *url, struct err *err);
must_check int bucket_cache_open(struct common *common, const struct bucket_cache_options *options,
                                 struct bucket_cache *ret, struct err *err);
void bucket_cache_close(struct bucket_cache *remote);
#define cleanup_bucket_cache cleanup(bucket_cache_close)

/* Copies the input with that digest from the bucket into the local cache, unless it has it already. SIZE 0:
 * unknown. NAME is for messages. -1: interrupted, or the local cache failed. */
must_check int bucket_cache_take(struct bucket_cache *remote, struct cache *cache, const char *name,
                                 const struct sha256 *sha256, uint64_t size, struct err *err);
/* Uploads it, unless the bucket has it. -1: interrupted. */
must_check int bucket_cache_give(struct bucket_cache *remote, const char *name, const struct sha256 *sha256,
                                 int fd, uint64_t size, struct err *err);

#endif
