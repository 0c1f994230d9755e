/* What an upload would send, reported instead of sent. Only reads the bucket. */
#ifndef BAKE_CLOUD_PUSH_DRY_UPLOAD_H
#define BAKE_CLOUD_PUSH_DRY_UPLOAD_H

#include "cloud/push/push.h"

/* One object of LEN bytes in one request. */
must_check int dry_object(const struct push *push, const char *name, uint64_t len, uint64_t replaces,
                          struct err *err);
/* The archive, composed or in one resumable upload. Fills COUNTS. */
must_check int dry_archive(const struct push *push, const struct upload *upload, struct upload_counts *counts,
                           struct err *err);

#endif
