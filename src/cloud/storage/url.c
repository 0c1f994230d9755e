#include "cloud/storage/url.h"

#define LISTED_FIELDS "nextPageToken,items(name,size,crc32c,generation,timeCreated,storageClass)"

int storage_url_create(const struct storage *storage, const char *project, struct buf *ret, struct err *err)
{
    url_path(ret, storage->api.endpoints->storage, "b");
    url_query(ret, "project", project);
    return url_check(ret, err);
}

int storage_url_bucket(const struct storage *storage, struct buf *ret, struct err *err)
{
    url_path(ret, storage->api.endpoints->storage, "b", storage->bucket);
    url_query_raw(ret, "fields", "name,location");
    return url_check(ret, err);
}

int storage_url_list(const struct storage *storage, const char *prefix, unsigned page_size, const char *token,
                     struct buf *ret, struct err *err)
{
    url_path(ret, storage->api.endpoints->storage, "b", storage->bucket, "o");
    url_query_uint(ret, "maxResults", page_size);
    url_query(ret, "prefix", prefix);
    url_query_raw(ret, "fields", LISTED_FIELDS);
    if (token)
        url_query(ret, "pageToken", token);
    return url_check(ret, err);
}

static void add_object(const struct storage *storage, const char *name, const char *verb, struct buf *ret)
{
    url_path(ret, storage->api.endpoints->storage, "b", storage->bucket, "o", name, verb);
}

int storage_url_object(const struct storage *storage, const char *name, struct buf *ret, struct err *err)
{
    add_object(storage, name, NULL, ret);
    return url_check(ret, err);
}

int storage_url_generation(const struct storage *storage, const char *name, uint64_t generation,
                           struct buf *ret, struct err *err)
{
    add_object(storage, name, NULL, ret);
    url_query_uint(ret, "generation", generation);
    return url_check(ret, err);
}

int storage_url_media(const struct storage *storage, const char *name, struct buf *ret, struct err *err)
{
    add_object(storage, name, NULL, ret);
    url_query(ret, "alt", "media");
    return url_check(ret, err);
}

int storage_url_upload(const struct storage *storage, enum upload_type type, const char *name,
                       uint64_t replaces, struct buf *ret, struct err *err)
{
    static const char *const types[] = {"media", "multipart", "resumable"};
    url_path(ret, storage->api.endpoints->storage_upload, "b", storage->bucket, "o");
    url_query(ret, "uploadType", types[type]);
    url_query_uint(ret, "ifGenerationMatch", replaces);
    if (name)
        url_query(ret, "name", name);
    return url_check(ret, err);
}

int storage_url_compose(const struct storage *storage, const char *name, uint64_t replaces, struct buf *ret,
                        struct err *err)
{
    add_object(storage, name, "compose", ret);
    url_query_uint(ret, "ifGenerationMatch", replaces);
    return url_check(ret, err);
}

int storage_url_source(const struct storage *storage, const char *name, struct buf *ret, struct err *err)
{
    buf_printf(ret, "https://storage.%s/%s/%s", storage->api.endpoints->universe, storage->bucket, name);
    return url_check(ret, err);
}
