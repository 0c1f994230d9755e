#include "kube/versions.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define AT(...)                                                                                              \
    {                                                                                                        \
        .parts = sizeof(unsigned[]){__VA_ARGS__} / sizeof(unsigned), .part = { __VA_ARGS__ }                 \
    }

static const char too_old[] = "its kubelet and its API server lack what the built-in files ask for";
static const char no_cri_v1[] =
    "its kubelet speaks only CRI v1alpha2, which containerd 2 does not have, and needs "
    "--container-runtime=remote";
static const char wants_docker[] =
    "its kubelet looks for Docker unless --container-runtime=remote is given, which "
    "is gone since 1.27";
static const char all_anonymous[] =
    "its API server cannot restrict anonymous requests to the health checks: that "
    "came with 1.32";

/* The first row that holds a minor counts. 1.37: its kubelet asks the runtime for the cgroup driver
 * (RuntimeConfig) and has no fallback. */
static const struct kube_release releases[] = {
    {0, 19, KUBE_OLD, too_old, AT(1), AT(2), {0}, {0}},
    {20, 22, KUBE_OLD, no_cri_v1, AT(1), AT(2), {0}, {0}},
    {23, 23, KUBE_OLD, wants_docker, AT(1), {0}, {0}, {0}},
    {24, 25, KUBE_OLD, all_anonymous, AT(1), {0}, {0}, {0}},
    {26, 31, KUBE_OLD, all_anonymous, AT(1, 6), {0}, {0}, {0}},
    {32, 33, KUBE_SUPPORTED, NULL, AT(1, 6), {0}, AT(3, 4), AT(3, 5, 11)},
    {34, 34, KUBE_SUPPORTED, NULL, AT(1, 6), {0}, AT(3, 4), AT(3, 5, 21)},
    {35, 36, KUBE_SUPPORTED, NULL, AT(1, 6), {0}, AT(3, 4), AT(3, 5, 24)},
    {37, UINT_MAX, KUBE_UNTESTED, NULL, AT(2), {0}, AT(3, 4), AT(3, 5, 24)},
};

const struct kube_release *kube_release_of(const struct kube_number *version)
{
    if (version->parts < 2 || version->part[0] != 1)
        return NULL;
    for (size_t i = 0; i < sizeof releases / sizeof *releases; i++)
        if (version->part[1] >= releases[i].first && version->part[1] <= releases[i].last)
            return &releases[i];
    return NULL;
}

const char *kube_supported(char ret[static KUBE_RANGE_CAP])
{
    unsigned first = 0, last = 0;
    for (size_t i = 0; i < sizeof releases / sizeof *releases; i++) {
        if (releases[i].support != KUBE_SUPPORTED)
            continue;
        first = first ? first : releases[i].first;
        last = releases[i].last;
    }
    snprintf(ret, KUBE_RANGE_CAP, "1.%u to 1.%u", first, last);
    return ret;
}

static bool is_component(const struct recipe_source *source)
{
    return source->kind == SOURCE_BUILTIN && strncmp(source->name, "kube", 4) == 0;
}

const char *kube_builtin(const struct recipe *recipe)
{
    for (size_t i = 0; i < recipe->unit_count; i++)
        if (is_component(&recipe->units[i].source))
            return recipe->units[i].name;
    for (size_t i = 0; i < recipe->manifest_count; i++)
        if (is_component(&recipe->manifests[i].source))
            return recipe->manifests[i].name;
    return NULL;
}

int kube_error(const struct recipe *recipe, struct err *err, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const struct recipe_where *where = &recipe->kubernetes.where;
    return err_set(err, ERR_RECIPE, 0, "%s:%u:%u: %s", recipe->file, where->line, where->column, text);
}

int kube_check_supported(const struct recipe *recipe, const struct kube_number *version, bool untested,
                         struct err *err)
{
    const struct kube_release *release = kube_release_of(version);
    const char *name = kube_builtin(recipe);
    char text[KUBE_NUMBER_CAP], range[KUBE_RANGE_CAP];
    if (!name || version->parts == 0 || (release && release->support == KUBE_SUPPORTED))
        return 0;
    kube_number_text(version, text);
    kube_supported(range);
    if (release && release->support == KUBE_OLD)
        return kube_error(
            recipe, err,
            "Kubernetes %s does not work with the built-in %s: %s. Use %s, or replace it with a unit or "
            "manifest of your own",
            text, name, release->why, range);
    if (release && untested)
        return 0;
    return kube_error(
        recipe, err,
        "Kubernetes %s is not among the versions that the built-in %s is tested with: use %s, or try it "
        "with --untested-kubernetes",
        text, name, range);
}

int kube_check_recipe(const struct recipe *recipe, bool untested, struct err *err)
{
    const struct recipe_kubernetes *kubernetes = &recipe->kubernetes;
    struct kube_number version = {0};
    if (kubernetes->form == KUBERNETES_NONE ||
        !kube_number_parse(kubernetes->version, strlen(kubernetes->version), &version))
        return 0;
    return kube_check_supported(recipe, &version, untested, err);
}
