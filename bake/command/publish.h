/* What `bake image` does with a finished package: test, push, promote. It may be repeated at any point. */
#ifndef BAKE_FRONT_COMMAND_PUBLISH_H
#define BAKE_FRONT_COMMAND_PUBLISH_H

#include "bake/remote/promote.h"
#include "bake/remote/push_options.h"
#include "seal/sign/key.h"

struct publish_options {
    struct push_options push;
    bool do_push, do_promote, do_test;
    struct skew_rules rules;
    uint64_t test_timeout_s; /* 0: the default of bake test */
    uint64_t unchanged_exit; /* exit code when nothing was new */
};

extern const struct option_group publish_group; /* struct publish_options; its push has groups of its own */

must_check int publish_options_check(const struct publish_options *options, struct err *err);

/* MANIFEST is the path of the package's manifest, signed with KEY (NULL: unsigned). One run at a time for
 * each family. Does nothing if the family's head is this very package; otherwise tests it before anything is
 * sent. *ret_new: something was done. */
must_check int publish_run(struct common *common, const struct publish_options *options, const char *manifest,
                           const struct signing_key *key, bool *ret_new, struct err *err);

#endif
