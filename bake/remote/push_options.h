/* The options of a push, shared by `bake push` and `bake image --push`. */
#ifndef BAKE_FRONT_REMOTE_PUSH_OPTIONS_H
#define BAKE_FRONT_REMOTE_PUSH_OPTIONS_H

#include "bake/remote/session.h"

struct push_options {
    struct session_options session;
    const char *family, *description, *storage_location, *architecture, *kms_key;
    struct option_list labels, licenses, features;
    const char *pk;
    struct option_list keks, dbs, dbxs; /* files */
    bool create_bucket, no_compose;
    const char *location;
    uint64_t uploads; /* threads; 0: some */
};

/* struct push_options; session_group and bucket_group go with it, for its member SESSION. */
extern const struct option_group push_group;

/* Checks whatever does not need the recipe, so that nothing is built for a push that cannot work. */
must_check int push_options_check(const struct push_options *options, struct err *err);
/* ERR_USAGE for a label that bake sets itself. */
must_check int push_refuse_own_labels(const struct label *labels, size_t count, struct err *err);

#endif
