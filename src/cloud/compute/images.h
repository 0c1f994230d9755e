/* Images of one project, over the Compute Engine API.
 *
 * In:    a description of an image, names, families.
 * Out:   images as the API has them; changes that are done when the function returns.
 * Fails: ERR_REMOTE: refused, with the role that would help, or the operation's own errors; ERR_NETWORK: retries ran out.
 *        An operation that does not end in time is ERR_REMOTE and says that it goes on.
 * Owns:  what it returns lives in the caller's list until image_list_free().
 * Never: says that something is done before its operation is, and without an error.
 * Source:cloud.google.com/compute/docs/reference/rest/v1/images; bodies as gcloud sends them.
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
/* The last component of a URL such as replacement. */
const char *image_name_of(const char *url);
/* A name the API takes: up to 63 of a-z, 0-9, '-'; a letter first, no '-' last. */
bool image_name_ok(const char *name);

/* No such image is no failure: the list stays empty. */
must_check int images_get(const struct images *images, const char *name, struct image_list *ret,
                          struct err *err);
/* What a reader of the family gets: the newest that is not deprecated. None: empty. */
must_check int images_head(const struct images *images, const char *family, struct image_list *ret,
                           struct err *err);
/* FILTER in the API's language ("labels.a=b", "family=f"); NULL: all. */
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
    const char *sha1_hex; /* of the archive; NULL: not said */
    struct shielded_key pk, keks[SHIELDED_MAX], dbs[SHIELDED_MAX], dbxs[SHIELDED_MAX]; /* len 0: none */
    size_t kek_count, db_count, dbx_count;
};
/* The request's body; what is not given is left out. */
must_check int images_insert_body(const struct image_spec *spec, struct buf *ret, struct err *err);

/* The same request for the same text, whichever process sends it: a UUID of RFC 9562 version 5. */
must_check int images_request_id(const char *text, char out[static REQUEST_ID_CAP], struct err *err);

/* What became of an operation. */
struct operation_end {
    bool failed; /* it is over, with an error: a new try needs a new request ID */
    bool
        before; /* it was over when it was first heard of: a request ID of an earlier run, not what this one began */
    bool passing; /* its error is one that goes away by itself: api_error_passing() */
};

/* Done without an error does not mean that the image is there: with the request ID of an earlier run the answer is the
 * operation of that run, whatever happened to the image since. *ret_exists: the name is taken. */
must_check int images_insert(const struct images *images, const struct image_spec *spec,
                             const char *request_id, struct operation_end *ret_end, bool *ret_exists,
                             struct err *err);
/* Until the image is no longer pending. */
must_check int images_wait_ready(const struct images *images, const char *name, struct err *err);

must_check int images_set_family(const struct images *images, const char *name, const char *family,
                                 struct err *err);
/* REPLACEMENT: a URL; NULL: none. IMAGE_ACTIVE undoes it. */
must_check int images_deprecate(const struct images *images, const char *name, enum image_state state,
                                const char *replacement, struct err *err);
/* As the member "labels" of an object. */
void images_add_labels(struct json_writer *json, const struct label *labels, size_t count);
must_check int images_set_labels(const struct images *images, const struct image *image,
                                 const struct label *labels, size_t count, struct err *err);
/* No such image is no failure. */
must_check int images_delete(const struct images *images, const char *name, struct err *err);

/* Waits for the operation that RESULT answers with. */
must_check int operation_wait(const struct images *images, const struct api_result *result, const char *what,
                              struct operation_end *ret, struct err *err);

#endif
