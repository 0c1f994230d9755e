/* bake image: the main job. */
#include "bake/command/command.h"
#include "bake/command/image_job.h"

static int run_image(struct common *common, int argc, char **argv, struct err *err)
{
    cleanup_image_job struct image_job job = IMAGE_JOB_DEFAULT;
    enum image_result result;
    bool done;
    if (common_parse(common, &command_image, &job, argc, argv, &job.image.recipe.path, &done, err) < 0 ||
        done)
        return done ? 0 : -1;
    if (image_job_check(&job, err) < 0 || image_job_run(common, &job, &result, err) < 0)
        return -1;
    if (result == IMAGE_UNCHANGED)
        common->exit_code = (int)job.publish.unchanged_exit;
    return 0;
}

static const struct option_use image_options[] = {
    {&standin_group, offsetof(struct image_job, image.recipe)},
    {&recipe_group, offsetof(struct image_job, image.recipe)},
    {&image_group, offsetof(struct image_job, image)},
    {&key_group, offsetof(struct image_job, key_options)},
    {&publish_group, offsetof(struct image_job, publish)},
    {&push_group, offsetof(struct image_job, publish.push)},
    {&bucket_group, offsetof(struct image_job, publish.push.session)},
    {&session_group, offsetof(struct image_job, publish.push.session)},
    {&common_network_group, 0},
    {&common_cache_group, 0},
    {&common_output_group, 0},
    {0},
};

const struct command command_image = {
    .name = "image",
    .title = "bake: fetch, verify, patch, pack, sign",
    .usage = "bake image [RECIPE] [options]",
    .summary = "Fetches and verifies what RECIPE names, patches the base's disk without root and\n"
               "without booting it, packs it for Google Compute Engine and signs the result.\n"
               "Without RECIPE: bake.json in the current folder.",
    .more = "The last line of stdout is the path of the package's manifest. Every night:\n"
            "bake image --update --test --push --promote --bucket NAME, safe to repeat.",
    .options = image_options,
    .arguments_max = 1,
    .run = run_image,
};
