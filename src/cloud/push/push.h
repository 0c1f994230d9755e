/* A sealed package becomes an image of a project.
 *
 * In:    the permit that seal gives, the archive that was checked against it, a bucket, a project.
 * Out:   the archive and its documents in the bucket, and an image outside of any family: nothing uses it
 *        yet.
 * Fails: as storage.h and images.h say; ERR_REMOTE when the image's name belongs to another package.
 * Owns:  what it leaves in the bucket is named by the package's claim, which is stored first.
 * Never: sends anything when this package is registered already; registers an archive whose size and CRC-32C
 *        in the bucket differ from the manifest's.
 *
 * Any number of processes may push the same package, or different ones, at the same time.
 */
#ifndef BAKE_CLOUD_PUSH_PUSH_H
#define BAKE_CLOUD_PUSH_PUSH_H

#include "cloud/client/dry_run.h"
#include "cloud/push/names.h"
#include "cloud/upload/upload.h"

enum {
    VERSION_LABELS_MAX = 2,
    /* bake's own always have a place: promotion may add LABEL_FAMILY */
    GIVEN_LABELS_MAX = LABELS_MAX - 2 - VERSION_LABELS_MAX
};

struct push {
    struct storage storage;
    struct images images;
    const char *prefix; /* of all object names; "" or ends in '/' */
    const struct sealed *sealed;
    const struct packed *packed;
    int fd;                       /* the archive; borrowed */
    struct image_spec spec;       /* without name, source, sha1; labels without bake's own */
    const char *family;           /* that the image is meant for; NULL: none */
    const struct label *versions; /* LABEL_KUBERNETES, LABEL_ETCD: what is known of the image */
    size_t version_count;
    bool create_bucket, no_compose;
    const char *location;      /* of a new bucket; NULL: the API's default */
    unsigned threads;          /* 0: the default */
    const struct dry_run *dry; /* NULL: do it */
};

enum push_outcome { PUSH_DONE, PUSH_UNCHANGED, PUSH_DRY };
struct push_result {
    enum push_outcome outcome;
    char image[IMAGE_NAME_MAX + 1];
    struct upload_counts counts;
    bool archive_found; /* an earlier push had stored the archive */
};

must_check int push_run(const struct push *push, struct push_state *state, struct push_result *ret,
                        struct err *err);

/* The text that names a push to state_open(). */
must_check int push_identity(const struct push *push, struct buf *ret, struct err *err);

#endif
