/* A sealed package becomes an image of a project.
 *
 * In:    the permit that seal gives, the archive that was checked against it, a bucket, a project.
 * Out:   the archive and its documents in the bucket, and an image without a family: nobody gets it unasked.
 * Fails: as storage.h and images.h say; ERR_REMOTE when the image's name belongs to another package.
 * Owns:  what it leaves in the bucket is named by the package's list of parts, which is stored first.
 * Never: sends anything when the very same package is registered already; registers an archive whose size and CRC-32C
 *        in the bucket are not the manifest's.
 *
 *   PREFIX claims/PROJECT/NAME.json   what the project's image needs of the bucket: for prune, and while this push runs
 *   PREFIX segments/SHA256            the parts
 *   PREFIX NAME.tar.gz                the archive, then
 *   PREFIX NAME.provenance.json, .spdx.json, .manifest.json.minisig, .manifest.json
 *
 * Any number of processes may push the same package, or different ones, at the same time.
 */
#ifndef BAKE_CLOUD_LIFECYCLE_PUSH_H
#define BAKE_CLOUD_LIFECYCLE_PUSH_H

#include "cloud/compute/images.h"
#include "cloud/upload/upload.h"
#include "seal/types.h"

#define SEGMENTS_FOLDER "segments/"
#define CLAIMS_FOLDER   "claims/"
#define LABEL_PACKAGE   "bake-package" /* the first 40 hex digits of the manifest's SHA-256 */
#define LABEL_FAMILY    "bake-family"  /* the family it is meant for, before it is in it and after */
enum {
    PACKAGE_LABEL = 41,
    GIVEN_LABELS_MAX =
        LABELS_MAX - 2, /* bake's own have their place, LABEL_FAMILY at promotion if not before */
    CLAIM_MAX = 96 << 20
};

/* Told for each request that would change something. */
struct dry_run {
    void (*tell)(void *ctx, const char *method, const char *url, const char *detail);
    void *ctx;
};

struct push {
    struct storage storage;
    struct images images;
    const char *prefix; /* of all object names; "" or ends in '/' */
    const struct sealed *sealed;
    const struct packed *packed;
    int fd;                 /* the archive */
    struct image_spec spec; /* without name, source, sha1; labels without bake's own */
    const char *family;     /* NULL: none is meant */
    bool create_bucket, no_compose;
    const char *location;
    unsigned threads;
    const struct dry_run *dry; /* NULL: do it */
};

enum push_outcome { PUSH_DONE, PUSH_THERE, PUSH_DRY };
struct push_result {
    enum push_outcome outcome;
    char image[IMAGE_NAME_MAX + 1];
    struct upload_counts counts;
    bool archive_there; /* an earlier push had brought the archive that far */
};

must_check int push_run(const struct push *push, struct push_state *state, struct push_result *ret,
                        struct err *err);

/* The image's name: the package's, cut in front of its digest, in letters that the API takes. */
void push_image_name(const char *package, char out[static IMAGE_NAME_MAX + 1]);
void push_label(const struct sealed *sealed, char out[static PACKAGE_LABEL]);
/* What names a push for state_open(). */
must_check int push_identity(const struct push *push, struct buf *ret, struct err *err);

/* A claim: the image's name, and what its package needs. */
must_check int claim_write(const char *package, const char *image, const char *family,
                           const struct parts *parts, struct buf *ret, struct err *err);
struct claim {
    struct json_doc *doc;
    const char *package, *image; /* names */
    const char *family;          /* "": none is meant */
    const cJSON *segments;       /* array of names */
};
must_check int claim_read(const char *text, size_t len, const char *name, struct claim *ret, struct err *err);
void claim_free(struct claim *claim);
#define cleanup_claim cleanup(claim_free)

#endif
