/* The recipe's "image" part as the JSON that the package manifest passes on to push. */
#ifndef BAKE_FRONT_JOB_INPUTS_IMAGE_JSON_H
#define BAKE_FRONT_JOB_INPUTS_IMAGE_JSON_H

#include "base/buf.h"
#include "recipe/types.h"

/* Canonical: fixed key order, labels in the recipe's order, what is not given is left out. */
must_check int image_json_write(const struct recipe_image *image, struct buf *ret, struct err *err);

#endif
