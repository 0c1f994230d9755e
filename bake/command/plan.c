/* bake plan: what would be baked. */
#include "bake/command/command.h"
#include "bake/job/pipeline.h"
#include "plan/plan.h"

static int print_plan(struct common *common, const struct planned *planned, const struct layout *layout,
                      struct err *err)
{
    const struct plan *plan = &planned->plan;
    cleanup_buf struct buf text = BUF_INIT(64 << 20);
    struct ui_line line;
    if (common->ui.json) {
        if (planned->kubernetes.form != KUBERNETES_NONE) {
            ui_line_open(&line, &common->ui, "kubernetes");
            kube_variant_json(&planned->kubernetes, &line.json);
            ui_line_print(&line);
        }
        ui_line_open(&line, &common->ui, "plan");
        plan_print_json(plan, &line.json);
        ui_line_print(&line);
        return 0;
    }
    kube_variant_text(&planned->kubernetes, &text);
    if (text.len > 0)
        buf_str(&text, "\n");
    if (plan_print_text(plan, layout, &text, err) < 0)
        return -1;
    ui_text(&common->ui, "%s", text.data);
    return 0;
}

static int run_plan(struct common *common, int argc, char **argv, struct err *err)
{
    struct recipe_options options = {.out_dir = "out"};
    bool done;
    if (common_parse(common, &command_plan, &options, argc, argv, &options.path, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (recipe_choose(common, &options, err) < 0)
        return -1;
    return bake_plan(common, &options, print_plan, err);
}

const struct command command_plan = {
    .name = "plan",
    .title = "show what would change in the image",
    .usage = "bake plan [RECIPE] [options]",
    .summary = "Shows what \"bake image\" would change in the image, and whether it fits.\n"
               "Changes nothing but the cache, and the lock if there is none.",
    .more = "+ created or replaced   ~ a folder, created if it is missing   - removed",
    .options = (const struct option_use[]){{&recipe_group, 0},
                                           {&standin_group, 0},
                                           {&common_network_group, 0},
                                           {&common_cache_group, 0},
                                           {&common_output_group, 0},
                                           {0}},
    .arguments_max = 1,
    .run = run_plan,
};
