/* What a recipe must provide itself, checked when the plan is made: without it, a node would never become
 * ready.
 *
 * CNI plugins: those that the agent's network configuration names (src/agent/net/cni.c), and loopback, which
 * containerd calls on its own. flannel's own plugin is not needed: it would only call bridge with what the
 * agent writes. */
#include <string.h>

#include "plan/build.h"

#define CNI "/opt/cni/bin/"

static const struct {
    enum recipe_network network;
    const char *cni;   /* a CNI plugin, or */
    const char *other; /* a program beside hyperkube */
} needs[] = {
    {NETWORK_FLANNEL, NULL, "flanneld"},   {NETWORK_FLANNEL, "bridge", NULL},
    {NETWORK_FLANNEL, "host-local", NULL}, {NETWORK_FLANNEL, "loopback", NULL},
    {NETWORK_FLANNEL, "portmap", NULL},    {NETWORK_CALICO, NULL, "calico-node"},
    {NETWORK_CALICO, "calico", NULL},      {NETWORK_CALICO, "calico-ipam", NULL},
    {NETWORK_CALICO, "loopback", NULL},    {NETWORK_CALICO, "portmap", NULL},
};

#define ADDONS_UNIT  "bake-addons.service"
#define MEMBERS_UNIT "bake-members.service"

static bool has_file(const struct plan *plan, const char *image_path)
{
    const struct plan_op *op = plan_find(plan, image_path);
    return op && op->kind != PLAN_DIR;
}

/* Add-ons have no effect unless a unit applies them. */
static int check_addons(const struct builder *b, const struct recipe *recipe)
{
    for (size_t i = 0; i < recipe->unit_count; i++)
        if (strcmp(recipe->units[i].name, ADDONS_UNIT) == 0)
            return 0;
    for (size_t i = 0; i < recipe->manifest_count; i++)
        if (strncmp(recipe->manifests[i].name, "addon-", 6) == 0)
            return build_error(b, "manifests", recipe->manifests[i].where,
                               "nothing applies %s to the cluster: \"units\" needs { \"name\": "
                               "\"" ADDONS_UNIT "\", \"builtin\": true, \"enable\": true }",
                               recipe->manifests[i].name);
    return 0;
}

static const struct recipe_unit *find_builtin(const struct recipe *recipe, const char *name)
{
    for (size_t i = 0; i < recipe->unit_count; i++)
        if (recipe->units[i].source.kind == SOURCE_BUILTIN && strcmp(recipe->units[i].source.name, name) == 0)
            return &recipe->units[i];
    return NULL;
}

/* A member joins as a learner, and stays one without this unit. */
static int check_members(const struct builder *b, const struct recipe *recipe)
{
    const struct recipe_unit *etcd = find_builtin(recipe, "etcd.service");
    if (!etcd || find_builtin(recipe, MEMBERS_UNIT))
        return 0;
    return build_error(b, "units", etcd->where,
                       "the built-in etcd.service needs { \"name\": \"" MEMBERS_UNIT
                       "\", \"builtin\": true, \"enable\": true } beside it");
}

static bool has_manifest(const struct recipe *recipe, const char *name)
{
    for (size_t i = 0; i < recipe->manifest_count; i++)
        if (strcmp(recipe->manifests[i].name, name) == 0)
            return true;
    return false;
}

/* These built-in files name a file that the agent renders from a manifest, and stop without it. */
static const struct {
    const char *user, *configuration;
    const char *folder; /* where the node has it */
} configured[] = {
    {"kubelet.service", "kubelet.yaml", "/etc/kubernetes"},
    {"kube-proxy.service", "kube-proxy.yaml", "/etc/kubernetes"},
    {"kube-apiserver.yaml", "admission.yaml", "/etc/kubernetes/apiserver"},
};

static int check_configuration_of(const struct builder *b, const struct recipe *recipe, const char *list,
                                  const struct recipe_source *source, struct recipe_where where)
{
    char path[PATH_CAP];
    for (size_t i = 0; source->kind == SOURCE_BUILTIN && i < sizeof configured / sizeof *configured; i++) {
        if (strcmp(source->name, configured[i].user) != 0)
            continue;
        const char *name = configured[i].configuration;
        snprintf(path, sizeof path, "%s/%s", configured[i].folder, name);
        if (!has_manifest(recipe, name) && !has_file(b->plan, path))
            return build_error(b, list, where,
                               "the built-in %s needs its configuration: \"manifests\" needs { \"name\": "
                               "\"%s\", \"builtin\": \"config/%s\" }",
                               configured[i].user, name, name);
    }
    return 0;
}

static int check_configuration(const struct builder *b, const struct recipe *recipe)
{
    for (size_t i = 0; i < recipe->unit_count; i++)
        if (check_configuration_of(b, recipe, "units", &recipe->units[i].source, recipe->units[i].where) < 0)
            return -1;
    for (size_t i = 0; i < recipe->manifest_count; i++)
        if (check_configuration_of(b, recipe, "manifests", &recipe->manifests[i].source,
                                   recipe->manifests[i].where) < 0)
            return -1;
    return 0;
}

int build_check_needs(const struct builder *b, const struct recipe *recipe)
{
    cleanup_buf struct buf missing = BUF_INIT(8192);
    const char *bin = build_place(b->layout, PLACE_BIN);
    char path[PATH_CAP];
    if (!recipe->agent)
        return 0;
    if (check_addons(b, recipe) < 0 || check_members(b, recipe) < 0 || check_configuration(b, recipe) < 0)
        return -1;
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        if (needs[i].network != recipe->network)
            continue;
        snprintf(path, sizeof path, "%s%s%s", needs[i].cni ? CNI : bin, needs[i].cni ? "" : "/",
                 needs[i].cni ? needs[i].cni : needs[i].other);
        if (!has_file(b->plan, path))
            buf_printf(&missing, "%s%s", missing.len > 0 ? ", " : "", path);
    }
    if (buf_check(&missing, "what a network needs", b->err) < 0)
        return -1;
    if (missing.len == 0)
        return 0;
    return build_error(b, "network", recipe->network_where,
                       "\"%s\" needs files that the recipe does not provide: %s: list them under \"files\"",
                       recipe->network == NETWORK_CALICO ? "calico" : "flannel", missing.data);
}
