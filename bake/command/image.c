/* bake image: the main job. */
#include "bake/command/image_job.h"

int cmd_image(struct common *common, int argc, char **argv, struct err *err)
{
    cleanup_image_job struct image_job job = IMAGE_JOB_DEFAULT;
    enum image_result result;
    bool done;
    const struct option_spec specs[] = {
        IMAGE_JOB_OPTIONS(&job),      STANDIN_OPTION(&job.image.recipe), COMMON_NETWORK_OPTIONS(common),
        COMMON_CACHE_OPTIONS(common), COMMON_OUTPUT_OPTIONS(common),     OPTIONS_END,
    };
    const struct command_help help = {
        .usage = "bake image [RECIPE] [options]",
        .summary = "Fetches and verifies what RECIPE names, patches the base's disk without root and\n"
                   "without booting it, packs it for Google Compute Engine and signs the result.\n"
                   "Without RECIPE: bake.json in the current folder.",
        .more = "The last line of stdout is the path of the package's manifest. Every night:\n"
                "bake image --update --test --push --promote --bucket NAME, safe to repeat.",
    };
    if (common_parse(common, argc, argv, &help, specs, &job.image.recipe.path, 1, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (image_job_check(&job, err) < 0 || image_job_run(common, &job, &result, err) < 0)
        return -1;
    if (result == IMAGE_UNCHANGED)
        common->exit_code = (int)job.publish.unchanged_exit;
    return 0;
}
