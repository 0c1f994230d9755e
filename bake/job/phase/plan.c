#include "bake/job/phase/plan.h"

#include <string.h>

#include "kube/check.h"
#include "kube/flags.h"
#include "layout/layout.h"
#include "layout/probe.h"

void planned_free(struct planned *planned)
{
    plan_free(&planned->plan);
    payload_free(&planned->payload);
    plan_wants_free(&planned->wants);
}

static int read_file(const void *ctx, void *bytes, size_t len, uint64_t off, struct err *err)
{
    return probe_file_read(ctx, bytes, len, off, err);
}

static int usr_has(const void *ctx, const char *path, bool *ret, struct err *err)
{
    cleanup_probe_file struct probe_file *file = NULL;
    if (probe_file_open(ctx, path, &file, err) < 0)
        return -1;
    *ret = file != NULL;
    return 0;
}

/* Of the OS: its os-release says it where that can be read, else the lock. */
static const char *version_of(const struct bake_job *job, const struct unpacked *base)
{
    const struct lock *lock = &job->inputs.lock;
    if (base->layout.os_version[0])
        return base->layout.os_version;
    for (size_t i = 0; i < lock->input_count; i++)
        if (strcmp(lock->inputs[i].name, RECIPE_BASE_NAME) == 0)
            return lock->inputs[i].version;
    return "";
}

/* Which Kubernetes goes into the image, and whether it works with its etcd and the base's containerd. */
static int check_kubernetes(const struct bake_job *job, const struct unpacked *base,
                            const struct payload *payload, const struct plan *plan, struct kube_variant *ret,
                            struct err *err)
{
    cleanup_probe_file struct probe_file *file = NULL;
    struct kube_base known = {.version = version_of(job, base), .ctx = base->usr};
    struct program containerd;
    const struct kube_args args = {.recipe = &job->inputs.recipe,
                                   .layout = &base->layout,
                                   .plan = plan,
                                   .base = &known,
                                   .stated = payload->kubernetes_version,
                                   .cache = job->cache,
                                   .run = &job->common->run,
                                   .untested = job->options->untested_kubernetes};
    if (base->usr) {
        known.has = usr_has;
        if (probe_file_open(base->usr, "/bin/containerd", &file, err) < 0)
            return -1;
    }
    if (file) {
        containerd = (struct program){.size = probe_file_size(file), .read = read_file, .ctx = file};
        known.containerd = &containerd;
    }
    if (kube_variant_read(&args, ret, err) < 0)
        return -1;
    return kube_check(&args, ret, err);
}

static void report_plan(struct common *common, const struct planned *planned)
{
    cleanup_buf struct buf kubernetes = BUF_INIT(256);
    const struct plan *plan = &planned->plan;
    char size[16];
    for (size_t i = 0; i < plan->note_count; i++)
        run_warn(&common->run, "plan", "%s", plan->notes[i]);
    kube_variant_text(&planned->kubernetes, &kubernetes);
    if (kubernetes.len > 0)
        ui_step(&common->ui, "plan", "%s", kubernetes.data);
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
    if (plan_make(&args, &ret->plan, err) < 0 ||
        check_kubernetes(job, base, &ret->payload, &ret->plan, &ret->kubernetes, err) < 0 ||
        flags_check(&flags, &job->common->run, err) < 0)
        return err_wrap(err, "plan");
    report_plan(job->common, ret);
    return 0;
}
