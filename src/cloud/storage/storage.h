/* Objects of one Cloud Storage bucket, over the JSON API.
 *
 * In:    names, bytes with their CRC-32C, generations.
 * Out:   what the bucket holds: name, size, CRC-32C, generation.
 * Fails: ERR_REMOTE: refused, with the role that would help; an object of another content in the way; a sum of the
 *        server's that is not ours (that generation is deleted first). ERR_NETWORK: retries ran out.
 * Owns:  nothing; listed names live in the caller's arena. Safe in threads.
 * Never: replaces or deletes an object it has not looked at: every write says ifGenerationMatch, 0 for a new one, every
 *        deletion the generation. A repeated request whose first answer was lost finds its own object: the same bytes are success.
 * Source:cloud.google.com/storage/docs/json_api/v1; requests as Google's clients send them.
 */
#ifndef BAKE_CLOUD_STORAGE_STORAGE_H
#define BAKE_CLOUD_STORAGE_STORAGE_H

#include "base/arena.h"
#include "base/digest.h"
#include "cloud/client/api.h"
#include "json/write.h"

enum { OBJECT_NAME_MAX = 1024, OBJECTS_MAX = 1 << 20, LIFECYCLE_DAYS = 60, STORAGE_CLASS_CAP = 32 };

struct storage {
    struct api api;
    const char *bucket;
};

struct object {
    const char *name;    /* storage_list() only */
    uint64_t generation; /* 0: there is no such object */
    uint64_t size;       /* bytes */
    uint32_t crc32c;
    int64_t created_ms;                    /* since 1970 */
    char storage_class[STORAGE_CLASS_CAP]; /* "STANDARD", "NEARLINE"; "": not said */
};

/* Composing takes objects of one class. What is not said may be any. */
bool object_same_class(const char *a, const char *b);

struct object_list {
    struct arena arena;
    struct object *items; /* in byte order of name, as the server lists them */
    size_t count, capacity;
};
void object_list_free(struct object_list *list);
#define cleanup_object_list cleanup(object_list_free)

/* By name; NULL when there is none. */
const struct object *object_find(const struct object_list *list, const char *name);

/* No object is no failure: RET's generation is 0. */
must_check int storage_get(const struct storage *storage, const char *name, struct object *ret,
                           struct err *err);
/* All objects whose names begin with PREFIX, page by page. A bucket that does not exist is ERR_REMOTE, unless RET_NO_BUCKET
 * is given. */
must_check int storage_list(const struct storage *storage, const char *prefix, struct object_list *ret,
                            bool *ret_no_bucket, struct err *err);
/* A whole small object, into RET up to its cap. */
must_check int storage_read(const struct storage *storage, const char *name, struct buf *ret,
                            struct err *err);

/* A whole object of any size into FD, a regular file, and its SHA-256. One of over MAX bytes is given up, and has a SHA-256 of
 * zeros. *ret_there: is there one at all? */
must_check int storage_download(const struct storage *storage, const char *name, uint64_t max, int fd,
                                bool *ret_there, struct sha256 *ret, struct err *err);
/* A whole file as a new object, in one request that is sent from the file. */
must_check int storage_upload(const struct storage *storage, const char *name, int fd, uint64_t size,
                              struct object *ret, struct err *err);

struct object_content {
    const void *memory; /* NULL: bytes of the file */
    int fd;
    uint64_t off;
    uint64_t len; /* bytes: the whole is held in memory while it is sent */
    uint32_t crc32c;
};
/* An object in one request, which says the sum so that the server checks it before there is an object. REPLACES is the
 * generation that it takes the place of; 0: it is new. */
must_check int storage_insert(const struct storage *storage, const char *name, const char *type,
                              const struct object_content *content, uint64_t replaces, struct object *ret,
                              struct err *err);
/* crc32c of MEMORY filled in. */
struct object_content object_content_of(const void *memory, size_t len);

struct object_source {
    const char *name;
    uint64_t generation;
};
/* Joins up to COMPOSE_MAX objects to one of WANT's size and sum, in the place of the generation REPLACES, 0 for none. *ret_missing: a source is no longer there in that
 * generation, and nothing was made. */
must_check int storage_compose(const struct storage *storage, const char *name, const char *type,
                               const struct object_source *sources, size_t count, uint64_t replaces,
                               const struct object *want, struct object *ret, bool *ret_missing,
                               struct err *err);
/* That generation; gone already, or replaced, is no failure. */
must_check int storage_delete(const struct storage *storage, const char *name, uint64_t generation,
                              struct err *err);
/* The same, and *ret_kept: a retention policy or a hold forbids it, which is no failure either. */
must_check int storage_delete_unless_kept(const struct storage *storage, const char *name,
                                          uint64_t generation, bool *ret_kept, struct err *err);

/* Is what a request answered, or what was there before it, what was meant? Deletes a generation that this request made of
 * other bytes. */
must_check int storage_check(const struct storage *storage, const char *name, const struct object *found,
                             const struct object *want, bool made, struct err *err);
/* The metadata of a new object, as a request's body or the first part of one. */
enum { OBJECT_FRAME_MAX = 8192 /* bytes: it, and the frame around an upload's bytes */ };
void storage_describe(const char *name, const char *type, uint32_t crc32c, struct json_writer *to);
/* The fields of an object's resource. */
must_check int storage_read_object(const cJSON *json, const char *name, struct object *ret, struct err *err);

/* The role for objects, and the bucket it must be granted on: for api_refused(). */
enum { ROLE_CAP = 320 };
const char *storage_role(const struct storage *storage, char out[static ROLE_CAP]);

struct bucket_options {
    const char *project;
    const char *location;       /* "EU", "europe-west1"; NULL: US, as the API has it */
    const char *segment_prefix; /* objects under it go after LIFECYCLE_DAYS */
};
/* Creates the bucket; one of the same project that is there already is taken when its place is the one asked for. */
must_check int storage_create_bucket(const struct storage *storage, const struct bucket_options *options,
                                     bool *ret_created, struct err *err);
/* Its request's body. */
must_check int storage_bucket_body(const struct storage *storage, const struct bucket_options *options,
                                   struct buf *ret, struct err *err);

#endif
