/* file URLs: the files are opened in place, never copied. */
#ifndef BAKE_FETCH_LOCAL_H
#define BAKE_FETCH_LOCAL_H

#include "fetch/fetch.h"

/* Fails as fetch_all() does. CACHE keeps the digest for later runs. */
must_check int fetch_local(struct cache *cache, const struct fetch_request *req, const char *path,
                           const char *origin, const struct run *run, struct artifact *ret, struct err *err);

/* Refuses a size that the request does not allow. WHERE is for messages. */
must_check int fetch_check_size(const struct fetch_request *req, const char *where, uint64_t size,
                                struct err *err);
/* Refuses a digest other than the one that the request requires, if any. */
must_check int fetch_check_digest(const struct fetch_request *req, const char *where,
                                  const struct sha256 *sha256, struct err *err);

#endif
