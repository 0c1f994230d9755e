/* Images of one project, over the Compute Engine API.
 *
 * In:    a description of an image, names, families.
 * Out:   images as the API describes them; changes that are complete when the function returns.
 * Fails: ERR_REMOTE: refused, with the role that would help, or the operation's own errors; ERR_NETWORK:
 *        retries ran out. An operation that does not end in time is ERR_REMOTE; the message says that it is
 *        still running.
 * Owns:  nothing but the lists it fills, until image_list_free(). A struct images is const: safe in threads.
 * Never: succeeds before the operation has ended without an error.
 * Source: cloud.google.com/compute/docs/reference/rest/v1/images; bodies as gcloud sends them.
 */
#ifndef BAKE_CLOUD_COMPUTE_IMAGES_H
#define BAKE_CLOUD_COMPUTE_IMAGES_H

#include "base/arena.h"
#include "json/write.h"
#include "cloud/client/api.h"

enum {
    IMAGE_NAME_MAX = 63,
    LABELS_MAX = 64, /* of one image */
    DESCRIPTION_MAX = 2048,
    IMAGES_MAX = 20000,
    SHIELDED_MAX = 10,
    REQUEST_ID_CAP = 37
};

struct images {
    struct api api;
    const char *project;
    unsigned wait_s; /* for an operation; 0: 1800 */
};

struct label {
    const char *key, *value;
};

enum image_status { IMAGE_PENDING, IMAGE_READY, IMAGE_FAILED };
enum image_state { IMAGE_ACTIVE, IMAGE_DEPRECATED, IMAGE_OBSOLETE, IMAGE_DELETED };

struct image {
    const char *name, *family; /* family "": none */
    const char *self_link;
    const char *fingerprint; /* of the labels */
    const char *replacement; /* a URL; "": none */
    enum image_status status;
    enum image_state state;
    int64_t created_ms; /* since 1970 */
    const struct label *labels;
    size_t label_count;
};

struct image_list {
    struct arena arena;
    struct image *items; /* newest first */
    size_t count, capacity;
};
void image_list_free(struct image_list *list);
#define cleanup_image_list cleanup(image_list_free)

const char *image_label(const struct image *image, const char *key); /* NULL: none */
/* The last segment of a URL such as replacement. */
const char *image_name_of(const char *url);
/* A name the API accepts: up to 63 of a-z, 0-9, '-'; begins with a letter, does not end in '-'. */
bool image_name_ok(const char *name);

/* A missing image is a success: the list stays empty. */
must_check int images_get(const struct images *images, const char *name, struct image_list *ret,
                          struct err *err);
/* What readers of the family get: the newest image that is not deprecated. The list is empty without one. */
must_check int images_head(const struct images *images, const char *family, struct image_list *ret,
                           struct err *err);
/* FILTER in the API's syntax ("labels.a=b", "family=f"); NULL: all. */
must_check int images_list(const struct images *images, const char *filter, struct image_list *ret,
                           struct err *err);

struct shielded_key {
    const void *bytes;
    size_t len;
    bool x509; /* else BIN */
};
struct image_spec {
    const char *name;
    const char *family; /* NULL: none */
    const char *description, *architecture, *kms_key;
    const struct label *labels;
    size_t label_count;
    const char *const *licenses;
    size_t license_count;
    const char *const *features;
    size_t feature_count;
    const char *storage_location;
    const char *source;   /* URL of the object */
    const char *sha1_hex; /* of the archive; NULL: not sent */
    struct shielded_key pk, keks[SHIELDED_MAX], dbs[SHIELDED_MAX], dbxs[SHIELDED_MAX]; /* len 0: none */
    size_t kek_count, db_count, dbx_count;
};
/* The request's body, without the fields that are not given. */
must_check int images_insert_body(const struct image_spec *spec, struct buf *ret, struct err *err);

/* The same ID for the same text in every process: a version 5 UUID of RFC 9562. */
must_check int images_request_id(const char *text, char out[static REQUEST_ID_CAP], struct err *err);

/* How an operation ended. */
struct operation_end {
    bool failed; /* with an error: another try needs a new request ID */
    /* It was over when it was first seen: the operation of an earlier run with the same request ID, not this
     * run's. */
    bool before;
    bool temporary; /* its error is temporary: api_error_temporary() */
};

/* Success does not mean that the image exists: with the request ID of an earlier run the answer is that run's
 * operation, whatever happened to the image since. *RET_EXISTS: the name is taken. */
must_check int images_insert(const struct images *images, const struct image_spec *spec,
                             const char *request_id, struct operation_end *ret_end, bool *ret_exists,
                             struct err *err);
/* Waits until the image is no longer pending. */
must_check int images_wait_ready(const struct images *images, const char *name, struct err *err);

must_check int images_set_family(const struct images *images, const char *name, const char *family,
                                 struct err *err);
/* REPLACEMENT: a URL; NULL: none. IMAGE_ACTIVE undoes it. */
must_check int images_deprecate(const struct images *images, const char *name, enum image_state state,
                                const char *replacement, struct err *err);
/* Adds the member "labels". */
void images_add_labels(struct json_writer *json, const struct label *labels, size_t count);
must_check int images_set_labels(const struct images *images, const struct image *image,
                                 const struct label *labels, size_t count, struct err *err);
/* A missing image is a success. */
must_check int images_delete(const struct images *images, const char *name, struct err *err);

/* Waits for the operation that RESULT answers with. */
must_check int operation_wait(const struct images *images, const struct api_result *result, const char *what,
                              struct operation_end *ret, struct err *err);

#endif
