/* The URLs of Compute Engine's images and operations: each is built here, for the request itself and for a
 * dry run's report.
 *
 * Out:   a URL in RET, which the caller made with URL_INIT.
 * Fails: ERR_INTERNAL: a name too long for a URL.
 * Source: cloud.google.com/compute/docs/reference/rest/v1
 */
#ifndef BAKE_CLOUD_COMPUTE_URL_H
#define BAKE_CLOUD_COMPUTE_URL_H

#include "cloud/api/url.h"
#include "cloud/compute/images.h"

/* BASE/projects/P/global/images[/NAME[/VERB]] */
must_check int images_url(const struct images *images, const char *name, const char *verb, struct buf *ret,
                          struct err *err);
/* The insertion that REQUEST_ID makes safe to repeat. */
must_check int images_url_insert(const struct images *images, const char *request_id, struct buf *ret,
                                 struct err *err);
/* A page of the images that FILTER (NULL: all) selects. TOKEN: the page's; NULL: the first one's. */
must_check int images_url_list(const struct images *images, const char *filter, unsigned page_size,
                               const char *token, struct buf *ret, struct err *err);
/* Where an operation is waited for. */
must_check int images_url_wait(const struct images *images, const char *operation, struct buf *ret,
                               struct err *err);

#endif
