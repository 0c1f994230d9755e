#include "bake/job/phase/plan.h"

#include "kube/flags.h"
#include "layout/layout.h"

void planned_free(struct planned *planned)
{
    plan_free(&planned->plan);
    payload_free(&planned->payload);
    plan_wants_free(&planned->wants);
}

static void report_plan(struct common *common, const struct plan *plan)
{
    char size[16];
    for (size_t i = 0; i < plan->note_count; i++)
        run_warn(&common->run, "plan", "%s", plan->notes[i]);
    ui_step(&common->ui, "plan", "%zu operations, %s", plan->op_count, ui_bytes(plan_bytes(plan), size));
}

int phase_plan(const struct bake_job *job, const struct fetched *fetched, const struct unpacked *base,
               struct planned *ret, struct err *err)
{
    const struct recipe *recipe = &job->inputs.recipe;
    const struct payload_sources sources = {.recipe = recipe, .inputs = fetched->inputs, .cache = job->cache};
    if (plan_wants(recipe, &base->layout, &ret->wants, err) < 0)
        return err_wrap(err, "plan");
    if (payload_load(&sources, &ret->wants, &job->common->run, &ret->payload, err) < 0)
        return err_wrap(err, "payload");
    const struct plan_args args = {.recipe = recipe,
                                   .layout = &base->layout,
                                   .map = layout_map,
                                   .wants = &ret->wants,
                                   .contents = ret->payload.contents,
                                   .epoch = base->epoch};
    const struct flags_args flags = {.recipe = recipe,
                                     .plan = &ret->plan,
                                     .wants = &ret->wants,
                                     .contents = ret->payload.contents,
                                     .cache = job->cache};
    if (plan_make(&args, &ret->plan, err) < 0 || flags_check(&flags, &job->common->run, err) < 0)
        return err_wrap(err, "plan");
    report_plan(job->common, &ret->plan);
    return 0;
}
