/* What `bake push` and `bake image --push` share. */
#ifndef BAKE_FRONT_REMOTE_PUSH_OPTIONS_H
#define BAKE_FRONT_REMOTE_PUSH_OPTIONS_H

#include "bake/remote/session.h"
#include "bake/remote/package_file.h"

enum { PUSH_TEXTS_MAX = 2 * OPTION_LIST_MAX };

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

#define PUSH_OPTIONS(options)                                                                                  \
    CLOUD_OPTIONS(&(options)->session), BUCKET_OPTIONS(&(options)->session),                                   \
        {"create-bucket",           0,    OPTION_FLAG,                                                         \
         &(options)->create_bucket, NULL, "make the bucket when there is none"},                               \
        {"location", 0, OPTION_STRING, &(options)->location, "PLACE", "where to make it, such as EU"},         \
        {"no-compose", 0, OPTION_FLAG, &(options)->no_compose, NULL, "one resumable upload, no parts"},        \
        {"uploads", 0, OPTION_UINT, &(options)->uploads, "N", "requests side by side (8)"},                    \
        {"rate", 0, OPTION_SIZE, &(options)->session.rate, "SIZE", "upload at most so much a second"},         \
        {"family", 0, OPTION_STRING, &(options)->family, "NAME", "family, else the recipe's"},                 \
        {"label", 0, OPTION_PAIRS, &(options)->labels, "K=V", "one more label, beside the recipe's"},          \
        {"description", 0, OPTION_STRING, &(options)->description, "TEXT", "else the recipe's"},               \
        {"license", 0, OPTION_LIST, &(options)->licenses, "URL", "one more license"},                          \
        {"feature", 0, OPTION_LIST, &(options)->features, "TYPE", "one more guest OS feature"},                \
        {"storage-location", 0, OPTION_STRING, &(options)->storage_location, "L", "of the image, such as eu"}, \
        {"architecture", 0, OPTION_STRING, &(options)->architecture, "A", "X86_64 (the default) or ARM64"},    \
        {"kms-key",           0,     OPTION_STRING,                                                            \
         &(options)->kms_key, "KEY", "encrypt the image with this Cloud KMS key"},                             \
        {"platform-key", 0, OPTION_STRING, &(options)->pk, "FILE", "Secure Boot: the platform key"},           \
        {"exchange-key", 0, OPTION_LIST, &(options)->keks, "FILE", "Secure Boot: a key exchange key"},         \
        {"signature-db", 0, OPTION_LIST, &(options)->dbs, "FILE", "Secure Boot: what may boot"},               \
    {                                                                                                          \
        "forbidden-db", 0, OPTION_LIST, &(options)->dbxs, "FILE", "Secure Boot: what may not"                  \
    }

/* A package ready to be pushed: what the recipe says of the image, and what the options say over it. */
struct pushing {
    struct arena arena;
    struct json_doc *image;
    struct label labels[LABELS_MAX];
    const char *licenses[PUSH_TEXTS_MAX], *features[PUSH_TEXTS_MAX];
    struct package package;
    struct sealed sealed;
    int fd;
    struct push push;
};
#define PUSHING_EMPTY                                                                                        \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }
void pushing_free(struct pushing *pushing);
#define cleanup_pushing cleanup(pushing_free)

must_check int push_options_check(const struct push_options *options, struct err *err);
/* From PUSHING's package, sealed and fd. It must not be moved afterwards. */
must_check int pushing_prepare(const struct push_options *options, const struct session *session,
                               struct pushing *pushing, struct err *err);
/* Pushes and reports. */
must_check int pushing_run(const struct pushing *pushing, const struct session *session, struct cache *cache,
                           struct push_result *ret, struct err *err);
/* Promotes and reports. IMAGE NULL: back to what the head replaced. */
struct promote_result;
must_check int promote_front(const struct session *session, const char *family, const char *image,
                             bool rollback, bool dry, struct promote_result *ret, struct err *err);

#endif
