/* bake lock: pins the inputs of a recipe. */
#include "bake/command/command.h"
#include "bake/job/pipeline.h"

static int run_lock(struct common *common, int argc, char **argv, struct err *err)
{
    struct recipe_options options = {.out_dir = "out"};
    bool done;
    if (common_parse(common, &command_lock, &options, argc, argv, &options.path, &done, err) < 0 || done)
        return done ? 0 : -1;
    cleanup_free char *path = NULL;
    bool written = false;
    if (recipe_choose(common, &options, err) < 0 || bake_lock(common, &options, &path, &written, err) < 0)
        return -1;
    struct ui_line line;
    ui_line_open(&line, &common->ui, "lock");
    json_string(&line.json, "file", path);
    json_bool(&line.json, "changed", written);
    ui_line_print(&line);
    ui_text(&common->ui, "%s\n", path);
    return 0;
}

const struct command command_lock = {
    .name = "lock",
    .title = "pin every input of a recipe",
    .usage = "bake lock [RECIPE] [options]",
    .summary = "Resolves channels and versions, verifies every input, and pins it by digest in\n"
               "RECIPE's lock file. Commit it. An existing lock changes only with --update.",
    .options = (const struct option_use[]){{&recipe_group, 0},
                                           {&standin_group, 0},
                                           {&common_network_group, 0},
                                           {&common_cache_group, 0},
                                           {&common_output_group, 0},
                                           {0}},
    .arguments_max = 1,
    .run = run_lock,
};
