/* Finds by content which of a recipe's own manifests are templates: the agent fills in marks like
 * @POD_CIDR@, and only in files of PLAN_TEMPLATES. What the agent would refuse at boot is refused here. */
#include <stdlib.h>
#include <string.h>

#include "plan/build.h"

enum { TEMPLATE_MAX = 1 << 20 }; /* the agent's limit */

/* The marks that src/agent/config/render.c fills in. */
static const char *const known[] = {
    "ETCD_SERVERS",        "SERVICE_CIDR", "POD_CIDR",     "CLUSTER_DOMAIN", "CLUSTER_NAME",
    "CLUSTER_DNS",         "NODE_NAME",    "NODE_IP",      "NODE_CIDR",      "MTU",
    "ALLOCATE_NODE_CIDRS", "PROXY_MODE",   "AUDIT_POLICY", "AUDIT_LOG",      "KEYS"};
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";

struct marks {
    bool any;          /* a known one */
    const char *other; /* the first unknown one; points into the text */
    size_t other_len;
};

static struct marks find_marks(const char *text, size_t len)
{
    struct marks found = {0};
    for (const char *at = text, *end = text + len; at < end && (at = memchr(at, '@', (size_t)(end - at)));) {
        size_t name = 0, i = 0;
        at++;
        while (at + name < end && at[name] && strchr(letters, at[name]))
            name++;
        if (name == 0 || at + name == end || at[name] != '@')
            continue;
        while (i < sizeof known / sizeof *known &&
               (strlen(known[i]) != name || memcmp(known[i], at, name) != 0))
            i++;
        if (i < sizeof known / sizeof *known)
            found.any = true;
        else if (!found.other)
            found = (struct marks){found.any, at, name};
        at += name + 1;
    }
    return found;
}

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), tail = strlen(end);
    return len > tail && strcmp(name + len - tail, end) == 0;
}

int build_manifest_path(const struct builder *b, const struct recipe *recipe, const struct plan_want *want,
                        const struct plan_content *content, const char **ret)
{
    const struct recipe_manifest *manifest = &recipe->manifests[want->index];
    bool is_template = path_under(want->image_path, PLAN_TEMPLATES),
         fits = content->blob.size <= TEMPLATE_MAX;
    *ret = want->image_path;
    if (!recipe->agent || manifest->source.kind == SOURCE_BUILTIN)
        return 0;
    if (is_template && !ends_with(manifest->name, ".yaml"))
        return build_error(b, want->label, manifest->where, "an add-on's name must end in .yaml");
    if (is_template && !fits)
        return build_error(b, want->label, manifest->where, "what the agent fills in can be at most 1 MiB");
    if (!fits || !ends_with(manifest->name, ".yaml"))
        return 0;
    size_t size = (size_t)content->blob.size;
    cleanup_free char *text = malloc(size + 1);
    if (!text)
        return err_oom(b->err);
    if (blob_read(&content->blob, text, size, 0, b->err) < 0)
        return -1;
    struct marks marks = find_marks(text, size);
    if (marks.other && (is_template || marks.any))
        return build_error(b, want->label, manifest->where, "the agent does not know the mark @%.*s@",
                           (int)(marks.other_len < 64 ? marks.other_len : 64), marks.other);
    if (is_template || !marks.any)
        return 0;
    *ret = arena_printf(&b->plan->arena, PLAN_TEMPLATES "/%s", manifest->name);
    return *ret ? 0 : err_oom(b->err);
}
