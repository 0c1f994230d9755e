/* bake plan and bake lock: what would be baked, and from exactly what. */
#include "fs/fs.h"
#include "bake/job/pipeline.h"

static int print_plan(struct common *common, const struct baking *baking, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(64 << 20);
    struct ui_line line;
    if (common->ui.json) {
        ui_line_open(&line, &common->ui, "plan");
        plan_print_json(&baking->plan, &line.json);
        ui_line_print(&line);
        return 0;
    }
    if (plan_print_text(&baking->plan, &baking->layout, &text, err) < 0)
        return -1;
    ui_text(&common->ui, "%s", text.data);
    return 0;
}

int cmd_plan(struct common *common, int argc, char **argv, struct err *err)
{
    struct recipe_options options = {.out_dir = "out"};
    bool done;
    const struct option_spec specs[] = {RECIPE_OPTIONS(&options),       STANDIN_OPTION(&options),
                                        COMMON_NETWORK_OPTIONS(common), COMMON_CACHE_OPTIONS(common),
                                        COMMON_OUTPUT_OPTIONS(common),  OPTIONS_END};
    const struct command_help help = {
        .usage = "bake plan [RECIPE] [options]",
        .summary = "Shows what \"bake image\" would change in the image, and whether it fits.\n"
                   "Changes nothing but the cache, and the lock when there is none.",
        .more = "+ made or replaced   ~ a folder, made where there is none   - removed",
    };
    if (common_parse(common, argc, argv, &help, specs, &options.path, 1, &done, err) < 0 || done)
        return done ? 0 : -1;
    cleanup_baking struct baking baking = BAKING_EMPTY;
    if (recipe_choose(common, &options, err) < 0 || inputs_open(&options, &baking.inputs, err) < 0 ||
        baking_plan(common, &options, &baking, err) < 0)
        return -1;
    if (fs_check(&baking.disk, &baking.layout, &baking.plan, &common->run, err) < 0)
        return -1;
    return print_plan(common, &baking, err);
}

int cmd_lock(struct common *common, int argc, char **argv, struct err *err)
{
    struct recipe_options options = {.out_dir = "out"};
    bool done;
    const struct option_spec specs[] = {RECIPE_OPTIONS(&options),       STANDIN_OPTION(&options),
                                        COMMON_NETWORK_OPTIONS(common), COMMON_CACHE_OPTIONS(common),
                                        COMMON_OUTPUT_OPTIONS(common),  OPTIONS_END};
    const struct command_help help = {
        .usage = "bake lock [RECIPE] [options]",
        .summary = "Resolves channels and versions, verifies every input, and pins it by digest in\n"
                   "RECIPE's lock file. Commit it. An existing lock changes with --update only.",
    };
    if (common_parse(common, argc, argv, &help, specs, &options.path, 1, &done, err) < 0 || done)
        return done ? 0 : -1;
    cleanup_inputs struct inputs inputs = INPUTS_EMPTY;
    if (recipe_choose(common, &options, err) < 0 || inputs_open(&options, &inputs, err) < 0 ||
        inputs_fetch(common, &options, &inputs, err) < 0)
        return -1;
    struct ui_line line;
    ui_line_open(&line, &common->ui, "lock");
    json_string(&line.json, "file", inputs.lock_path);
    json_bool(&line.json, "changed", inputs.lock_written);
    ui_line_print(&line);
    ui_text(&common->ui, "%s\n", inputs.lock_path);
    return 0;
}
