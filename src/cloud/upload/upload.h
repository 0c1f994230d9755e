/* Uploads the archive, in one of two ways.
 *
 * In:    the parts of an archive, its descriptor, a bucket.
 * Out:   the object NAME with the archive's size and CRC-32C.
 * Fails: as storage.h says. Inner composites that cannot be deleted are a warning: a bucket may retain
 *        everything. Parts stay in the bucket for the next push, inner composites do not.
 * Never: sends a part that the bucket has; succeeds unless the object is the archive.
 */
#ifndef BAKE_CLOUD_UPLOAD_UPLOAD_H
#define BAKE_CLOUD_UPLOAD_UPLOAD_H

#include "cloud/upload/parts.h"
#include "cloud/upload/state.h"
#include "cloud/storage/storage.h"

#define ARCHIVE_TYPE "application/x-tar" /* as gcloud stores a .tar.gz */

struct upload_counts {
    uint64_t parts, parts_sent; /* without duplicates */
    uint64_t bytes, bytes_sent; /* of the archive */
    uint64_t composed;          /* calls to compose that made an object */
};

struct upload {
    const struct storage *storage;
    struct parts *parts;
    const char *part_prefix; /* begins the parts' names */
    int fd;                  /* the archive; borrowed */
    unsigned threads;        /* 0: the default */
};

/* Finds out which parts the bucket has, and sets their generations. RET_NO_BUCKET as in storage_list(). */
must_check int upload_find_parts(const struct upload *upload, bool *ret_no_bucket, struct err *err);
/* Sends the parts that are missing, then composes. Sources must have one storage class, but a lifecycle rule
 * or Autoclass moves old objects to another: parts of another class than new objects get are sent again.
 * *RET_MIXED: the bucket does not allow replacing them, and nothing is composed. */
must_check int upload_composed(const struct upload *upload, struct upload_counts *counts, bool *ret_mixed,
                               struct err *err);
/* Deletes inner composites that a killed push of this archive left. */
must_check int upload_sweep(const struct upload *upload, struct err *err);

/* One resumable upload, which another process can continue. */
must_check int upload_resumable(const struct upload *upload, struct push_state *state,
                                struct upload_counts *counts, struct err *err);

#endif
