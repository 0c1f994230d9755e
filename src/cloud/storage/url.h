/* The URLs of Cloud Storage's JSON API: each is built here, for the request itself and for a dry run's
 * report.
 *
 * In:    the bucket, names of objects, generations.
 * Out:   a URL in RET, which the caller made with URL_INIT.
 * Fails: ERR_INTERNAL: a name too long for a URL.
 * Source: cloud.google.com/storage/docs/json_api/v1
 */
#ifndef BAKE_CLOUD_STORAGE_URL_H
#define BAKE_CLOUD_STORAGE_URL_H

#include "cloud/api/url.h"
#include "cloud/storage/storage.h"

enum upload_type { UPLOAD_MEDIA, UPLOAD_MULTIPART, UPLOAD_RESUMABLE };

/* Where PROJECT's buckets are created. */
must_check int storage_url_create(const struct storage *storage, const char *project, struct buf *ret,
                                  struct err *err);
/* The bucket's name and location. */
must_check int storage_url_bucket(const struct storage *storage, struct buf *ret, struct err *err);
/* A page of the objects under PREFIX. TOKEN: the page's; NULL: the first one's. */
must_check int storage_url_list(const struct storage *storage, const char *prefix, unsigned page_size,
                                const char *token, struct buf *ret, struct err *err);

/* An object's metadata. */
must_check int storage_url_object(const struct storage *storage, const char *name, struct buf *ret,
                                  struct err *err);
/* One generation of it. */
must_check int storage_url_generation(const struct storage *storage, const char *name, uint64_t generation,
                                      struct buf *ret, struct err *err);
/* Its bytes. */
must_check int storage_url_media(const struct storage *storage, const char *name, struct buf *ret,
                                 struct err *err);
/* An upload in the place of generation REPLACES, 0 for a new object. NAME: NULL when the body says it. */
must_check int storage_url_upload(const struct storage *storage, enum upload_type type, const char *name,
                                  uint64_t replaces, struct buf *ret, struct err *err);
must_check int storage_url_compose(const struct storage *storage, const char *name, uint64_t replaces,
                                   struct buf *ret, struct err *err);

/* As Compute Engine takes it for rawDisk.source: not percent-encoded. */
must_check int storage_url_source(const struct storage *storage, const char *name, struct buf *ret,
                                  struct err *err);

#endif
