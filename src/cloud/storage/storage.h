/* Objects of one Cloud Storage bucket, over the JSON API.
 *
 * In:    names, bytes with their CRC-32C, generations.
 * Out:   what the bucket holds: name, size, CRC-32C, generation.
 * Fails: ERR_REMOTE: refused, with the role that would help; an object with other bytes in the way; a
 *        checksum of the server's that differs from ours (that generation is deleted first). ERR_NETWORK:
 *        retries ran out.
 * Owns:  nothing but the lists it fills. A struct storage is const: safe in threads.
 * Never: replaces or deletes an object blindly: every write sends ifGenerationMatch, 0 for a new object, and
 *        every deletion the generation. A repeated request whose first answer was lost finds its own object:
 *        the same bytes are a success.
 * Source: cloud.google.com/storage/docs/json_api/v1; requests as Google's clients send them.
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
    uint64_t generation; /* 0: the object does not exist */
    uint64_t size;       /* bytes */
    uint32_t crc32c;
    int64_t created_ms;                    /* since 1970 */
    char storage_class[STORAGE_CLASS_CAP]; /* "STANDARD", "NEARLINE"; "": unknown */
};

/* Objects of one class only can be composed. An unknown class may be any. */
bool object_same_class(const char *a, const char *b);

struct object_list {
    struct arena arena;
    struct object *items; /* in byte order of names */
    size_t count, capacity;
};
void object_list_free(struct object_list *list);
#define cleanup_object_list cleanup(object_list_free)

/* By name; NULL: not in the list. */
const struct object *object_find(const struct object_list *list, const char *name);

/* A missing object is a success: RET's generation is 0. */
must_check int storage_get(const struct storage *storage, const char *name, struct object *ret,
                           struct err *err);
/* All objects whose names begin with PREFIX. A bucket that does not exist is ERR_REMOTE, unless RET_NO_BUCKET
 * is given. */
must_check int storage_list(const struct storage *storage, const char *prefix, struct object_list *ret,
                            bool *ret_no_bucket, struct err *err);
/* A whole small object, appended to RET up to its cap. */
must_check int storage_read(const struct storage *storage, const char *name, struct buf *ret,
                            struct err *err);

/* A whole object into FD, a regular file, and its SHA-256. One of more than MAX bytes is given up, with a
 * SHA-256 of zeros. *RET_THERE: the object exists. */
must_check int storage_download(const struct storage *storage, const char *name, uint64_t max, int fd,
                                bool *ret_there, struct sha256 *ret, struct err *err);
/* A whole file as a new object, in one request that is read from the file. */
must_check int storage_upload(const struct storage *storage, const char *name, int fd, uint64_t size,
                              struct object *ret, struct err *err);

struct object_content {
    const void *memory; /* borrowed; NULL: bytes of the file */
    int fd;
    uint64_t off;
    uint64_t len; /* bytes, all held in memory while they are sent */
    uint32_t crc32c;
};
/* An object in one request, with its checksum, which the server checks before it creates the object.
 * REPLACES: the generation to replace; 0: none, the object is new. */
must_check int storage_insert(const struct storage *storage, const char *name, const char *type,
                              const struct object_content *content, uint64_t replaces, struct object *ret,
                              struct err *err);
/* Content of MEMORY, with its checksum. */
struct object_content object_content_of(const void *memory, size_t len);

struct object_source {
    const char *name;
    uint64_t generation;
};
/* Joins up to COMPOSE_MAX objects into one of WANT's size and checksum. REPLACES as above. *RET_MISSING: a
 * source no longer exists in that generation, and nothing was made. */
must_check int storage_compose(const struct storage *storage, const char *name, const char *type,
                               const struct object_source *sources, size_t count, uint64_t replaces,
                               const struct object *want, struct object *ret, bool *ret_missing,
                               struct err *err);
/* Deletes that generation; one that is gone already, or replaced, is a success. */
must_check int storage_delete(const struct storage *storage, const char *name, uint64_t generation,
                              struct err *err);
/* The same, but a retention policy or a hold that forbids it is a success too: *RET_KEPT. */
must_check int storage_delete_unless_kept(const struct storage *storage, const char *name,
                                          uint64_t generation, bool *ret_kept, struct err *err);

/* Checks that FOUND has WANT's bytes. If not: an object that this request MADE is deleted, and either is an
 * error. */
must_check int storage_check(const struct storage *storage, const char *name, const struct object *found,
                             const struct object *want, bool made, struct err *err);
/* The metadata of a new object, as a request's body or the first part of one. */
enum { OBJECT_FRAME_MAX = 8192 /* bytes: it, and the frame around an upload's bytes */ };
void storage_describe(const char *name, const char *type, uint32_t crc32c, struct json_writer *to);
/* An object's resource, as the API describes it. NAME is for messages. */
must_check int storage_read_object(const cJSON *json, const char *name, struct object *ret, struct err *err);

/* The role that work on objects needs, and the bucket to grant it on: for api_refused(). Returns OUT. */
enum { ROLE_CAP = 320 };
const char *storage_role(const struct storage *storage, char out[static ROLE_CAP]);

struct bucket_options {
    const char *project;
    const char *location;       /* "EU", "europe-west1"; NULL: the API's default, US */
    const char *segment_prefix; /* objects under it are deleted after LIFECYCLE_DAYS */
};
/* Creates the bucket. One that exists already is used when its location is the one asked for. */
must_check int storage_create_bucket(const struct storage *storage, const struct bucket_options *options,
                                     bool *ret_created, struct err *err);
/* The body of that request. */
must_check int storage_bucket_body(const struct storage *storage, const struct bucket_options *options,
                                   struct buf *ret, struct err *err);

#endif
