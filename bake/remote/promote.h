/* Promoting an image, with the report that `bake promote`, `bake push` and `bake image` print. */
#ifndef BAKE_FRONT_REMOTE_PROMOTE_H
#define BAKE_FRONT_REMOTE_PROMOTE_H

#include "bake/remote/session.h"
#include "cloud/lifecycle/promote.h"

/* PROMOTE without its images, which are the session's. */
must_check int promote_image(const struct session *session, const struct promote *promote,
                             struct promote_result *ret, struct err *err);
/* Before a package is tested and registered: could its image become the head of the family? Fails as
 * skew_check() does. */
must_check int promote_check(const struct push *push, struct skew_rules rules, struct err *err);

#endif
