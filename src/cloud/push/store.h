/* A package's objects in the bucket: its claim, the archive, then its documents.
 *
 * Fails: as storage.h and upload.h say.
 */
#ifndef BAKE_CLOUD_PUSH_STORE_H
#define BAKE_CLOUD_PUSH_STORE_H

#include "cloud/push/push.h"

/* The permit to register the image: made by store_package() alone, once everything the image needs is in the
 * bucket. */
struct stored_package {
    char sha1[2 * 20 + 1]; /* of the archive, in hex, for GCE */
    struct upload_counts counts;
    bool archive_found; /* an earlier push had stored it */
};

/* Creates the bucket, if that was asked for. */
must_check int store_bucket(const struct push *push, const struct push_names *names, struct err *err);

must_check int store_package(const struct push *push, const struct push_names *names, struct parts *parts,
                             struct push_state *state, struct stored_package *ret, struct err *err);

#endif
