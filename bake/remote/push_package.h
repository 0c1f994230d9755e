/* Pushing one package: the image's description from the recipe and the options, the upload, the report.
 *
 * In:    a package that was opened and checked, push options, a session.
 * Out:   an image in the project, in no family; a "push" line through ui.
 * Fails: as cloud/lifecycle/push.h; ERR_VERIFY for a manifest whose "image" part is invalid, ERR_USAGE for
 *        options.
 * Owns:  struct push_package: the package, its descriptor and all texts, until push_package_free().
 */
#ifndef BAKE_FRONT_REMOTE_PUSH_PACKAGE_H
#define BAKE_FRONT_REMOTE_PUSH_PACKAGE_H

#include "bake/remote/push_options.h"
#include "seal/read.h"

enum { PUSH_TEXTS_MAX = 2 * OPTION_LIST_MAX };

/* A package ready to be pushed, described as the recipe says, with the options over it. */
struct push_package {
    struct arena arena;
    struct json_doc *image;
    struct label labels[LABELS_MAX], versions[VERSION_LABELS_MAX];
    char kubernetes[PUSH_VERSION_LABEL], etcd[PUSH_VERSION_LABEL]; /* values of versions */
    const char *licenses[PUSH_TEXTS_MAX], *features[PUSH_TEXTS_MAX];
    struct package package;
    struct sealed sealed;
    int fd;
    struct push push;
};
#define PUSH_PACKAGE_EMPTY                                                                                   \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }
void push_package_free(struct push_package *pushing);
#define cleanup_push_package cleanup(push_package_free)

/* Fills in the rest; the caller has set package, sealed and fd. PUSHING must not be moved afterwards. */
must_check int push_package_prepare(const struct push_options *options, const struct session *session,
                                    struct push_package *pushing, struct err *err);
/* Pushes and reports. */
must_check int push_package_run(const struct push_package *pushing, const struct session *session,
                                struct cache *cache, struct push_result *ret, struct err *err);

#endif
