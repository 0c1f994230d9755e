/* What the files of storage.h share. */
#ifndef BAKE_CLOUD_STORAGE_INTERNAL_H
#define BAKE_CLOUD_STORAGE_INTERNAL_H

#include "cloud/storage/storage.h"

enum { WHAT_CAP = 1280 };

/* "gs://BUCKET/NAME", for messages. Returns OUT. */
const char *storage_what(const struct storage *storage, const char *name, char out[static WHAT_CAP]);

/* As api_refused(), with the role that work on objects needs. */
int storage_refused(const struct storage *storage, const struct api_result *result, const char *what,
                    struct err *err);

/* Sends a request that makes the object NAME with ifGenerationMatch=REPLACES: what it made, or found, must be
 * WANT. */
must_check int storage_send(const struct storage *storage, const char *name, const struct http_request *req,
                            uint64_t replaces, const struct object *want, struct object *ret,
                            struct err *err);

#endif
