/* The archive into the bucket, in one of two ways.
 *
 * In:    the parts of an archive, its descriptor, a bucket.
 * Out:   the object NAME with the archive's size and CRC-32C.
 * Fails: as storage.h says. Inner composites that cannot be deleted are a warning: a bucket may keep everything.
 * Owns:  nothing that outlives it but what it has stored: parts stay for the next push, inner composites do not.
 * Never: sends a part the bucket has; ends well while the object is not the archive.
 */
#ifndef BAKE_CLOUD_UPLOAD_UPLOAD_H
#define BAKE_CLOUD_UPLOAD_UPLOAD_H

#include "cloud/upload/parts.h"
#include "cloud/upload/state.h"
#include "cloud/storage/storage.h"

#define ARCHIVE_TYPE "application/x-tar" /* as gcloud stores a .tar.gz */

struct upload_counts {
    uint64_t parts, parts_sent; /* different ones */
    uint64_t bytes, bytes_sent; /* of the archive */
    uint64_t composed;          /* calls that made something */
};

struct upload {
    const struct storage *storage;
    struct parts *parts;
    const char *part_prefix; /* of the parts' names */
    int fd;                  /* the archive */
    unsigned threads;        /* 0: some */
};

/* Which parts does the bucket have? Fills the generations in; *ret_no_bucket as in storage_list(). */
must_check int upload_find_parts(const struct upload *upload, bool *ret_no_bucket, struct err *err);
/* Parts that are missing, then the composition. Composing takes sources of one storage class, and a lifecycle rule or
 * Autoclass moves what is old: parts of another class than new objects get are sent again. *ret_mixed: the bucket does not
 * let them be replaced, and nothing is composed. */
must_check int upload_composed(const struct upload *upload, struct upload_counts *counts, bool *ret_mixed,
                               struct err *err);
/* Inner composites that a push of this archive left when it was killed. */
must_check int upload_sweep(const struct upload *upload, struct err *err);

/* One resumable upload, whose session and progress survive the process. */
must_check int upload_resumable(const struct upload *upload, struct push_state *state,
                                struct upload_counts *counts, struct err *err);

#endif
