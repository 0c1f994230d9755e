/* A package's name, which identifies its bytes: "is it built already?" is one look-up.
 *
 * In:    everything that determines the package: recipe, lock, base, plan, public key, bake and its deflate
 *        engine.
 * Out:   NAME-DIGEST, and the paths that follow from it.
 * Fails: ERR_INTERNAL.
 * Owns:  struct package_id owns its text until package_id_free().
 */
#ifndef BAKE_FRONT_JOB_PHASE_PACKAGE_ID_H
#define BAKE_FRONT_JOB_PHASE_PACKAGE_ID_H

#include "bake/job/phase/plan.h"
#include "seal/sign/key.h"

enum {
    PACKAGE_DIGEST = 12, /* hex digits that end a package's name, after a dash */
    PACKAGE_NAME_CAP = 80
};

struct package_id {
    char name[PACKAGE_NAME_CAP];
    char *manifest;        /* its path */
    struct buf image_json; /* the recipe's "image" part, as the manifest passes it on */
};

/* KEY NULL: unsigned. */
must_check int package_id_make(const struct bake_job *job, const struct image_options *options,
                               const struct signing_key *key, const struct fetched *fetched,
                               const struct unpacked *base, const struct planned *planned,
                               struct package_id *ret, struct err *err);
/* Is there a complete package of that name, signed with this key? A damaged or unreadable one is not an
 * error: it is to be made again. */
bool package_id_exists(const struct package_id *id, struct common *common, const struct signing_key *key);
void package_id_free(struct package_id *id);
#define cleanup_package_id cleanup(package_id_free)

#endif
