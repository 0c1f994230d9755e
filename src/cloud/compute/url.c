#include "cloud/compute/url.h"

static void add_images(const struct images *images, const char *name, const char *verb, struct buf *ret)
{
    url_path(ret, images->api.endpoints->compute, "projects", images->project, "global", "images", name,
             verb);
}

int images_url(const struct images *images, const char *name, const char *verb, struct buf *ret,
               struct err *err)
{
    add_images(images, name, verb, ret);
    return url_check(ret, err);
}

int images_url_insert(const struct images *images, const char *request_id, struct buf *ret, struct err *err)
{
    add_images(images, NULL, NULL, ret);
    url_query(ret, "requestId", request_id);
    return url_check(ret, err);
}

int images_url_list(const struct images *images, const char *filter, unsigned page_size, const char *token,
                    struct buf *ret, struct err *err)
{
    add_images(images, NULL, NULL, ret);
    url_query_uint(ret, "maxResults", page_size);
    if (filter)
        url_query(ret, "filter", filter);
    if (token)
        url_query(ret, "pageToken", token);
    return url_check(ret, err);
}

int images_url_wait(const struct images *images, const char *operation, struct buf *ret, struct err *err)
{
    url_path(ret, images->api.endpoints->compute, "projects", images->project, "global", "operations",
             operation, "wait");
    return url_check(ret, err);
}
