/* What `bake image` does, from options to the last line: bake, test, push, promote. `bake matrix` does it for
 * each image.
 *
 * In:    options.
 * Out:   the package and what was published, reported through ui.
 * Fails: as the stages do.
 * Owns:  the signing key, from when it is first needed until image_job_free().
 */
#ifndef BAKE_FRONT_COMMAND_IMAGE_JOB_H
#define BAKE_FRONT_COMMAND_IMAGE_JOB_H

#include "bake/command/publish.h"
#include "bake/job/keep.h"
#include "bake/job/pipeline.h"
#include "bake/ui/passphrase.h"

struct image_job {
    struct image_options image;
    struct key_options key_options;
    struct publish_options publish;
    char *key_path; /* found by the first run; NULL: unsigned, or not looked for yet */
    struct signing_key key;
    bool key_loaded;
};
#define IMAGE_JOB_DEFAULT                                                                                    \
    {                                                                                                        \
        .image.recipe.out_dir = "out", .image.keep = KEEP_ALL, .key_options = KEY_OPTIONS_DEFAULT            \
    }
void image_job_free(struct image_job *job);
#define cleanup_image_job cleanup(image_job_free)

extern const struct option_group image_group; /* struct image_options; its recipe has a group of its own */

/* ERR_USAGE for options that contradict each other. */
must_check int image_job_check(const struct image_job *job, struct err *err);

enum image_result { IMAGE_BUILT, IMAGE_UNCHANGED, IMAGE_DRY };
const char *image_result_word(enum image_result result); /* static */

must_check int image_job_run(struct common *common, struct image_job *job, enum image_result *ret,
                             struct err *err);

#endif
