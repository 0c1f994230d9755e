/* The package's image in the project: found, or made of the archive in the bucket.
 *
 * Fails: as images.h says; ERR_REMOTE: the image's name belongs to another package, or something keeps
 *        deleting it.
 */
#ifndef BAKE_CLOUD_PUSH_REGISTER_H
#define BAKE_CLOUD_PUSH_REGISTER_H

#include "cloud/push/store.h"

struct found_image {
    bool registered; /* this package's, ready, and with the labels asked for */
};

/* Looks for the image. One of this package whose import failed is deleted; one that is being imported is
 * waited for; labels that differ from those asked for are changed. */
must_check int find_image(const struct push *push, const struct push_names *names, struct push_state *state,
                          struct found_image *ret, struct err *err);

/* Imports the stored archive as an image without a family. */
must_check int register_image(const struct push *push, const struct push_names *names,
                              const struct stored_package *stored, struct push_state *state, struct err *err);

#endif
