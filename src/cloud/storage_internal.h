/* What the files of storage.h share. */
#ifndef BAKE_CLOUD_STORAGE_INTERNAL_H
#define BAKE_CLOUD_STORAGE_INTERNAL_H

#include "cloud/storage.h"

enum { WHAT_CAP = 1280 };

/* "gs://BUCKET/NAME", for messages. Returns OUT. */
const char *storage_what(const struct storage *storage, const char *name, char out[static WHAT_CAP]);

/* As api_refused(), with the role for objects. */
int storage_refused(const struct storage *storage, const struct api_result *result, const char *what,
                    struct err *err);

/* After a write that says ifGenerationMatch=0: 200 made it, 412 found something. *ret_none: 412, but there is nothing (a
 * source's precondition, or whoever made it took it away). */
must_check int storage_settle(const struct storage *storage, const char *name,
                              const struct api_result *result, const struct object *want, struct object *ret,
                              bool *ret_none, struct err *err);

#endif
