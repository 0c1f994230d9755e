/* What `bake image` does after the package is there: test, push, promote, as one command that may be repeated. */
#ifndef BAKE_FRONT_COMMAND_PUBLISH_H
#define BAKE_FRONT_COMMAND_PUBLISH_H

#include "bake/remote/push_options.h"
#include "seal/sign/key.h"

struct publish_options {
    struct push_options push;
    bool do_push, do_promote, do_test;
    uint64_t test_timeout_s; /* 0: as bake test */
    uint64_t unchanged_exit; /* exit code when nothing was new */
};

must_check int publish_options_check(const struct publish_options *options, struct err *err);

/* MANIFEST is the package's, just built (or UNCHANGED) with KEY (NULL: unsigned). One run at a time for each family. The family's
 * head being this very package is the end of it; otherwise it is tested before anything is sent. *ret_new: something was done. */
must_check int publish_run(struct common *common, const struct publish_options *options, const char *manifest,
                           const struct signing_key *key, bool *ret_new, struct err *err);

#endif
