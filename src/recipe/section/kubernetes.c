/* Kubernetes: where its programs come from. */
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
