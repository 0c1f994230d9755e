/* What content a recipe needs, and where each piece goes. */
#include <string.h>

#include "plan/build.h"

static const char *const binaries[] = {
    "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet"};

struct want_list {
    struct plan_wants *made;
    size_t capacity;
    struct err *err;
};

/* LABEL and IMAGE_PATH may be new strings from the arena: NULL means out of memory. */
static int append_want(struct want_list *l, enum plan_want_kind kind, struct recipe_source source,
                       const char *image_path, const char *label, size_t index)
{
    if (!image_path || !label)
        return err_oom(l->err);
    if (l->made->count == PLAN_OPS_MAX)
        return err_set(l->err, ERR_RECIPE, 0, "the recipe asks for more than %d files", PLAN_OPS_MAX);
    if (l->made->count == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 32;
        struct plan_want *grown = arena_array(&l->made->arena, capacity, sizeof *grown);
        if (!grown)
            return err_oom(l->err);
        if (l->made->count > 0)
            memcpy(grown, l->made->items, l->made->count * sizeof *grown);
        l->made->items = grown;
        l->capacity = capacity;
    }
    l->made->items[l->made->count++] = (struct plan_want){
        .kind = kind, .source = source, .image_path = image_path, .label = label, .index = index};
    return 0;
}

static int want_kubernetes(struct want_list *l, const struct recipe *recipe, const char *bin)
{
    const struct recipe_kubernetes *k = &recipe->kubernetes;
    struct arena *arena = &l->made->arena;
    struct recipe_source source = {.input = k->input, .where = k->where};
    const char *hyperkube = arena_printf(arena, "%s/hyperkube", bin);
    if (k->form == KUBERNETES_NONE)
        return 0;
    if (k->form == KUBERNETES_HYPERKUBE) {
        source.kind = k->member ? SOURCE_MEMBER : SOURCE_INPUT;
        source.member = k->member;
        return append_want(l, WANT_KUBERNETES, source, hyperkube, "kubernetes", 0);
    }
    source.kind = SOURCE_MEMBER;
    for (size_t i = 0; i < sizeof binaries / sizeof *binaries; i++) {
        source.member = arena_printf(arena, "%s%s%s", k->member, k->member[0] ? "/" : "", binaries[i]);
        if (!source.member)
            return err_oom(l->err);
        if (append_want(l, WANT_KUBERNETES, source, arena_printf(arena, "%s/%s", bin, binaries[i]),
                        "kubernetes", 0) < 0)
            return -1;
    }
    /* the same name as in the hyperkube form, so that units and manifests work with both */
    struct recipe_source builtin = {
        .kind = SOURCE_BUILTIN, .name = PLAN_HYPERKUBE_BUILTIN, .where = k->where};
    return append_want(l, WANT_KUBERNETES, builtin, hyperkube, "kubernetes", 0);
}

static int want_units(struct want_list *l, const struct recipe *recipe, const char *units)
{
    struct arena *arena = &l->made->arena;
    for (size_t i = 0; i < recipe->unit_count; i++) {
        const struct recipe_unit *u = &recipe->units[i];
        const char *label = arena_printf(arena, "unit %s", u->name);
        if (u->source.kind != SOURCE_NONE &&
            append_want(l, WANT_UNIT, u->source, arena_printf(arena, "%s/%s", units, u->name), label, i) < 0)
            return -1;
        for (size_t j = 0; j < u->dropin_count; j++) {
            const struct recipe_dropin *d = &u->dropins[j];
            if (append_want(l, WANT_DROPIN, d->source,
                            arena_printf(arena, "%s/%s.d/%s", units, u->name, d->name),
                            arena_printf(arena, "drop-in %s of %s", d->name, u->name), i) < 0)
                return -1;
        }
    }
    return 0;
}

/* bake's own files, which every node with the agent has. */
static int want_agent(struct want_list *l, const struct recipe *recipe)
{
    static const char *const words[] = {
        [NETWORK_VXLAN] = "vxlan\n", [NETWORK_FLANNEL] = "flannel\n", [NETWORK_CALICO] = "calico\n"};
    const struct recipe_source agent = {.kind = SOURCE_BUILTIN, .name = PLAN_AGENT_BUILTIN},
                               pause = {.kind = SOURCE_BUILTIN, .name = PLAN_PAUSE_BUILTIN},
                               network = {.kind = SOURCE_TEXT, .text = words[recipe->network]};
    if (!recipe->agent)
        return 0;
    if (append_want(l, WANT_AGENT, agent, PLAN_AGENT_PATH, "agent", 0) < 0 ||
        append_want(l, WANT_NETWORK, network, PLAN_NETWORK, "network", 0) < 0)
        return -1;
    return append_want(l, WANT_PAUSE, pause, PLAN_PAUSE, "pause image", 0);
}

/* A compiled-in manifest has marks that the agent fills in; an add-on is for the API server, and a
 * configuration for its component: kubelet must not see any of them among the static pods. */
static bool is_template(const struct recipe_manifest *m)
{
    static const char *const configurations[] = {"admission.yaml", "audit.yaml", "kube-proxy.yaml",
                                                 "kubelet.yaml"};
    for (size_t i = 0; i < sizeof configurations / sizeof *configurations; i++)
        if (strcmp(m->name, configurations[i]) == 0)
            return true;
    return m->source.kind == SOURCE_BUILTIN || strncmp(m->name, "addon-", 6) == 0;
}

int plan_wants(const struct recipe *recipe, const struct layout *layout, struct plan_wants *ret,
               struct err *err)
{
    cleanup_plan_wants struct plan_wants made = {0};
    struct want_list list = {.made = &made, .err = err};
    struct arena *arena = &made.arena;
    if (want_kubernetes(&list, recipe, build_place(layout, PLACE_BIN)) < 0)
        return -1;
    for (size_t i = 0; i < recipe->file_count; i++) {
        const struct recipe_file *f = &recipe->files[i];
        if (f->kind != RECIPE_FILE && f->kind != RECIPE_TREE)
            continue;
        if (append_want(&list, f->kind == RECIPE_TREE ? WANT_TREE : WANT_FILE, f->source, f->path,
                        arena_printf(arena, "files[%zu]", i), i) < 0)
            return -1;
    }
    if (want_units(&list, recipe, build_place(layout, PLACE_UNITS)) < 0)
        return -1;
    for (size_t i = 0; i < recipe->manifest_count; i++) {
        const struct recipe_manifest *m = &recipe->manifests[i];
        const char *dir = is_template(m) ? PLAN_TEMPLATES : build_place(layout, PLACE_MANIFESTS);
        if (append_want(&list, WANT_MANIFEST, m->source, arena_printf(arena, "%s/%s", dir, m->name),
                        arena_printf(arena, "manifest %s", m->name), i) < 0)
            return -1;
    }
    if (want_agent(&list, recipe) < 0)
        return -1;
    *ret = made;
    made = (struct plan_wants){0};
    return 0;
}
