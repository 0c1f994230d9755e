/* Promoting an image, with the report that `bake promote`, `bake push` and `bake image` print. */
#ifndef BAKE_FRONT_REMOTE_PROMOTE_H
#define BAKE_FRONT_REMOTE_PROMOTE_H

#include "bake/remote/session.h"
#include "cloud/lifecycle/promote.h"

/* IMAGE NULL: back to the image that the head replaced. DRY: nothing is changed, requests are printed. */
must_check int promote_image(const struct session *session, const char *family, const char *image,
                             bool rollback, bool dry, struct promote_result *ret, struct err *err);

#endif
