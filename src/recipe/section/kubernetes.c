/* Kubernetes: where its programs come from, and whether the built-in units suit its version. */
#include <stdlib.h>
#include <string.h>

#include "recipe/section/inputs.h"
#include "recipe/section/keys.h"
#include "recipe/section/sections.h"
#include "recipe/section/source.h"

int read_kubernetes(struct recipe_reader *r, const cJSON *root)
{
    struct recipe_kubernetes *k = &r->recipe->kubernetes;
    const cJSON *node;
    int form;
    if (read_object(r, root, "kubernetes", false, kubernetes_keys, &node) < 0)
        return -1;
    if (!node)
        return 0;
    if (read_input_ref(r, node, &k->input) < 0 ||
        read_word(r, node, "form", TEXT_NEEDED, form_words, &form) < 0 ||
        read_member(r, node, "member", &k->member) < 0 || read_text(r, node, "version", 0, &k->version) < 0)
        return -1;
    k->where = read_where(r, node);
    k->form = (enum kubernetes_form)(form + KUBERNETES_HYPERKUBE);
    if (!k->version)
        k->version = "";
    if (k->form == KUBERNETES_BINARIES && !k->member)
        k->member = "kubernetes/server/bin";
    if (k->form == KUBERNETES_HYPERKUBE && k->member && !k->member[0])
        return read_error(r, read_node(node, "member"), "\"member\" must name one file");
    return 0;
}

/* The minor of "1.23.4" or "v1.23.4"; 0 for anything else. */
static unsigned long kubernetes_minor(const char *version)
{
    version += *version == 'v';
    return strncmp(version, "1.", 2) == 0 ? strtoul(version + 2, NULL, 10) : 0;
}

static bool is_component(const struct recipe_source *source)
{
    return source->kind == SOURCE_BUILTIN && strncmp(source->name, "kube", 4) == 0;
}

/* The built-in units and manifests use flags that Kubernetes 1.24 removed: its components would not start. */
int recipe_check_components(struct recipe_reader *r, const cJSON *root)
{
    enum { LAST_MINOR = 23 };
    const struct recipe *recipe = r->recipe;
    const struct recipe_kubernetes *kubernetes = &recipe->kubernetes;
    const char *name = NULL;
    if (kubernetes->form == KUBERNETES_NONE || kubernetes_minor(kubernetes->version) <= LAST_MINOR)
        return 0;
    for (size_t i = 0; i < recipe->unit_count && !name; i++)
        name = is_component(&recipe->units[i].source) ? recipe->units[i].name : NULL;
    for (size_t i = 0; i < recipe->manifest_count && !name; i++)
        name = is_component(&recipe->manifests[i].source) ? recipe->manifests[i].name : NULL;
    if (!name)
        return 0;
    return read_error(
        r, read_node(root, "kubernetes"),
        "Kubernetes %.40s does not work with the built-in %s, whose flags are for 1.20 to 1.%d: use one of "
        "these, or replace it with a unit or manifest of your own",
        kubernetes->version, name, LAST_MINOR);
}
