/* What `bake image` does, from options to the last line: bake, test, push, promote. `bake matrix` does it many times.
 *
 * In:    options.
 * Out:   what came of it, reported through ui.
 * Fails: as the stages do.
 * Owns:  the key, once it was needed, until image_job_free().
 */
#ifndef BAKE_FRONT_COMMAND_IMAGE_JOB_H
#define BAKE_FRONT_COMMAND_IMAGE_JOB_H

#include "bake/job/keep.h"
#include "bake/command/publish.h"
#include "bake/ui/passphrase.h"
#include "bake/job/pipeline.h"

struct image_job {
    struct image_options image;
    struct passphrase_options passphrase;
    struct publish_options publish;
    char *key_path; /* found at the first run; NULL: unsigned, or not looked for yet */
    struct signing_key key;
    bool key_loaded;
};
#define IMAGE_JOB_DEFAULT                                                                                    \
    {                                                                                                        \
        .image.recipe.out_dir = "out", .image.keep = KEEP_ALL, .passphrase = PASSPHRASE_NONE                 \
    }
void image_job_free(struct image_job *job);
#define cleanup_image_job cleanup(image_job_free)

#define IMAGE_JOB_OPTIONS(job)                                                                                \
    RECIPE_OPTIONS(&(job)->image.recipe),                                                                     \
        {"key",         'k',                                                                                  \
         OPTION_STRING, &(job)->image.key_path,                                                               \
         "FILE",        "secret key, else $XDG_CONFIG_HOME/bake/bake.key"},                                   \
        {"unsigned", 0, OPTION_FLAG, &(job)->image.unsigned_package, NULL, "sign nothing"},                   \
        PASSPHRASE_OPTIONS(&(job)->passphrase),                                                               \
        {"small", 0, OPTION_FLAG, &(job)->image.small, NULL, "a smaller archive, in three times the time"},   \
        {"check", 0, OPTION_FLAG, &(job)->image.check, NULL, "read the archive back and compare it"},         \
        {"threads", 'j', OPTION_UINT, &(job)->image.threads, "N", "workers, else one a core"},                \
        {"keep", 0, OPTION_UINT, &(job)->image.keep, "N", "newest packages of its name stay in --out"},       \
        {"shared-cache", 0,                                                                                   \
         OPTION_STRING,  &(job)->image.recipe.shared_cache,                                                   \
         "gs://..",      "inputs in a bucket, for many machines"},                                            \
        {"test",      0,                                                                                      \
         OPTION_FLAG, &(job)->publish.do_test,                                                                \
         NULL,        "boot it, as bake test does, before it is pushed"},                                     \
        {"test-timeout", 0, OPTION_UINT, &(job)->publish.test_timeout_s, "S", "seconds that may take (600)"}, \
        {"push", 0, OPTION_FLAG, &(job)->publish.do_push, NULL, "then bake push; its options:"},              \
        PUSH_OPTIONS(&(job)->publish.push),                                                                   \
        {"promote", 0, OPTION_FLAG, &(job)->publish.do_promote, NULL, "then make it the family's head"},      \
    {                                                                                                         \
        "unchanged-exit", 0, OPTION_UINT, &(job)->publish.unchanged_exit, "N",                                \
            "exit code when nothing is new (0)"                                                               \
    }

/* Do the options go together? */
must_check int image_job_check(const struct image_job *job, struct err *err);

enum image_result { IMAGE_BUILT, IMAGE_UNCHANGED, IMAGE_DRY };
const char *image_result_word(enum image_result result); /* static */

must_check int image_job_run(struct common *common, struct image_job *job, enum image_result *ret,
                             struct err *err);

#endif
