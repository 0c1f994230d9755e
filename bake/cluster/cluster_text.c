/* The three formats of a cluster's attributes. */
#include <string.h>

#include "bake/cluster/cluster.h"

struct attribute {
    const char *key, *value; /* value NULL: left out */
};

enum { ATTRIBUTES = 9 };

/* An empty value means the default, as a missing one does. */
static const char *given(const char *value)
{
    return value && value[0] ? value : NULL;
}

/* All but the secret, which each format treats in its own way. */
static void attributes_of(const struct cluster *cluster, const struct cluster_node *node,
                          struct attribute ret[static ATTRIBUTES])
{
    const struct cluster_options *options = &cluster->options;
    const struct attribute all[ATTRIBUTES] = {
        {"cluster-name", options->name},
        {"cluster-nodes", cluster->nodes_text},
        {"cluster-pod-cidr", given(options->pod_cidr)},
        {"cluster-service-cidr", given(options->service_cidr)},
        {"cluster-domain", given(options->domain)},
        {"cluster-api-names", given(options->api_names)},
        {"cluster-role", node->role},
        {"snapshot-bucket", given(options->snapshot_bucket)},
        {"cluster-restore", given(options->restore)},
    };
    memcpy(ret, all, sizeof all);
}

/* Quoted for a shell; xargs(1) reads it the same way. */
static int add_word(struct buf *ret, const char *word, struct err *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:^,+@%";
    if (word[strspn(word, plain)] == '\0') {
        buf_str(ret, word);
        return 0;
    }
    if (strpbrk(word, "'\n"))
        return err_set(err, ERR_USAGE, 0, "\"%s\": quotes and line breaks are not allowed", word);
    buf_printf(ret, "'%s'", word);
    return 0;
}

/* Values hold commas, which separate gcloud's pairs unless the argument begins by choosing another separator:
 * a colon, which no checked value contains. */
static int add_gcloud_node(const struct cluster *cluster, const struct cluster_node *node,
                           const char *secret_file, struct buf *ret, struct err *err)
{
    struct attribute all[ATTRIBUTES];
    attributes_of(cluster, node, all);
    buf_printf(ret, "%s --private-network-ip=%s --metadata=^:^", node->name, node->ip);
    for (size_t i = 0; i < ATTRIBUTES; i++)
        if (all[i].value)
            buf_printf(ret, "%s%s=%s", i > 0 ? ":" : "", all[i].key, all[i].value);
    buf_str(ret, " --metadata-from-file=cluster-secret=");
    if (add_word(ret, secret_file, err) < 0)
        return -1;
    buf_str(ret, "\n");
    return 0;
}

int cluster_gcloud(const struct cluster *cluster, const char *secret_file, struct buf *ret, struct err *err)
{
    if (strchr(secret_file, ','))
        return err_set(err, ERR_USAGE, 0, "\"%s\": gcloud would take the comma for the end of the name",
                       secret_file);
    for (size_t i = 0; i < cluster->node_count; i++)
        if (add_gcloud_node(cluster, &cluster->nodes[i], secret_file, ret, err) < 0)
            return -1;
    return 0;
}

/* No checked value contains a quote, a backslash or the start of a template, so nothing needs escaping. */
void cluster_terraform(const struct cluster *cluster, struct buf *ret)
{
    buf_str(ret, "# The secret is not in this file: export TF_VAR_cluster_secret=\"$(cat FILE)\"\n"
                 "variable \"cluster_secret\" {\n"
                 "  type      = string\n"
                 "  sensitive = true\n"
                 "}\n\n"
                 "locals {\n"
                 "  cluster_nodes = {\n");
    for (size_t i = 0; i < cluster->node_count; i++) {
        const struct cluster_node *node = &cluster->nodes[i];
        struct attribute all[ATTRIBUTES];
        int width = (int)sizeof "cluster-secret" - 1;
        attributes_of(cluster, node, all);
        for (size_t k = 0; k < ATTRIBUTES; k++)
            if (all[k].value && (int)strlen(all[k].key) > width)
                width = (int)strlen(all[k].key);
        buf_printf(ret, "    \"%s\" = {\n      network_ip = \"%s\"\n      metadata = {\n", node->name,
                   node->ip);
        for (size_t k = 0; k < ATTRIBUTES; k++)
            if (all[k].value)
                buf_printf(ret, "        %-*s = \"%s\"\n", width, all[k].key, all[k].value);
        buf_printf(ret, "        %-*s = var.cluster_secret\n      }\n    }\n", width, "cluster-secret");
    }
    buf_str(ret, "  }\n}\n");
}

void cluster_json_attributes(const struct cluster *cluster, const struct cluster_node *node, bool with_secret,
                             struct json_writer *writer)
{
    struct attribute all[ATTRIBUTES];
    attributes_of(cluster, node, all);
    json_open(writer, "attributes", '{');
    for (size_t i = 0; i < ATTRIBUTES; i++)
        json_string_if(writer, all[i].key, all[i].value);
    if (with_secret)
        json_string(writer, "cluster-secret", cluster->secret);
    json_close(writer, '}');
}

void cluster_json_nodes(const struct cluster *cluster, bool with_secret, struct json_writer *writer)
{
    json_open(writer, "nodes", '[');
    for (size_t i = 0; i < cluster->node_count; i++) {
        json_open(writer, NULL, '{');
        json_string(writer, "name", cluster->nodes[i].name);
        json_string(writer, "address", cluster->nodes[i].ip);
        cluster_json_attributes(cluster, &cluster->nodes[i], with_secret, writer);
        json_close(writer, '}');
    }
    json_close(writer, ']');
}
