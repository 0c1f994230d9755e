/* Remembers the content of a URL or a local file between runs.
 *
 * In:    notes in the cache, kinds "url" and "file".
 * Out:   the digest, and for URLs what a conditional request needs.
 * Fails: ERR_IO, ERR_SPACE. A missing or damaged note is not an error: nothing is known then.
 */
#ifndef BAKE_FETCH_INDEX_H
#define BAKE_FETCH_INDEX_H

#include <sys/stat.h>

#include "fetch/head.h"
#include "fetch/types.h"
#include "cache/cache.h"

struct fetch_index {
    struct sha256 sha256;
    char etag[FETCH_TAG_CAP], modified[FETCH_DATE_CAP]; /* for URLs, at least one is set */
};

must_check int fetch_index_read(struct cache *cache, const char *kind, const char *key, bool *ret_known,
                                struct fetch_index *ret, const struct run *run, struct err *err);
must_check int fetch_index_write(struct cache *cache, const char *kind, const char *key,
                                 const struct fetch_index *index, const struct run *run, struct err *err);

#endif
