#include "bake/cluster/cluster.h"

#include <string.h>
#include <sys/random.h>

#include "text/base64.h"

void cluster_clear(struct cluster *cluster)
{
    explicit_bzero(cluster, sizeof *cluster);
}

static int copy(const char *text, size_t len, char *out, size_t cap, const char *what, struct err *err)
{
    if (len >= cap)
        return err_set(err, ERR_USAGE, 0, "--nodes: %s \"%.*s\" is too long", what, (int)cap, text);
    memcpy(out, text, len);
    out[len] = '\0';
    return 0;
}

static int read_node(struct cluster *cluster, const char *text, size_t len, struct err *err)
{
    if (cluster->node_count == NODE_MEMBERS_MAX)
        return err_set(err, ERR_USAGE, 0, "--nodes: more than %d: etcd grows slower with each member",
                       NODE_MEMBERS_MAX);
    struct cluster_node *node = &cluster->nodes[cluster->node_count++];
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : len;
    if (copy(text, name_len, node->name, sizeof node->name, "the name", err) < 0 ||
        (equals && copy(equals + 1, len - name_len - 1, node->ip, sizeof node->ip, "the address", err) < 0))
        return -1;
    if (!value_name_ok(node->name))
        return err_set(err, ERR_USAGE, 0,
                       "--nodes: \"%s\" is not an instance name: lower-case letters, digits and dashes, a "
                       "letter first",
                       node->name);
    if (equals && !value_ip_ok(node->ip))
        return err_set(err, ERR_USAGE, 0, "--nodes: \"%s\" is not the IPv4 address of a machine", node->ip);
    return 0;
}

/* A dotted address, accepted by value_ip_ok(), as a number. */
static uint32_t ip_number(const char *ip)
{
    uint32_t number = 0;
    for (char *end; *ip; ip = *end ? end + 1 : end)
        number = number << 8 | (uint32_t)strtoul(ip, &end, 10);
    return number;
}

static int give_addresses(struct cluster *cluster, struct err *err)
{
    const char *first = cluster->options.first_address;
    size_t with = 0;
    for (size_t i = 0; i < cluster->node_count; i++)
        with += cluster->nodes[i].ip[0] != '\0';
    if (with == cluster->node_count)
        return first ? err_set(err, ERR_USAGE, 0, "--first-address: --nodes gives addresses already") : 0;
    if (with > 0)
        return err_set(err, ERR_USAGE, 0, "--nodes: an address for each node, or for none");
    if (!first)
        return err_set(err, ERR_USAGE, 0,
                       "--nodes: every node must know every node's address: write NAME=ADDRESS,..., or let "
                       "--first-address ADDRESS count them up");
    if (!value_ip_ok(first))
        return err_set(err, ERR_USAGE, 0, "--first-address: \"%s\" is not the IPv4 address of a machine",
                       first);
    uint32_t number = ip_number(first);
    for (size_t i = 0; i < cluster->node_count; i++) {
        uint32_t ip = number + (uint32_t)i;
        char *out = cluster->nodes[i].ip;
        snprintf(out, sizeof cluster->nodes[i].ip, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
                 ip & 255);
    }
    return 0;
}

static int give_role(struct cluster *cluster, const char *text, struct err *err)
{
    const char *equals = strchr(text, '=');
    size_t len = equals ? (size_t)(equals - text) : 0;
    if (!equals || (strcmp(equals, "=node") != 0 && strcmp(equals, "=witness") != 0))
        return err_set(err, ERR_USAGE, 0, "--role needs NODE=node or NODE=witness, not \"%s\"", text);
    for (size_t i = 0; i < cluster->node_count; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        if (strlen(node->name) != len || memcmp(node->name, text, len) != 0)
            continue;
        node->role = equals + 1;
        cluster->witness_count += strcmp(node->role, "witness") == 0;
        return 0;
    }
    return err_set(err, ERR_USAGE, 0, "--role: --nodes has no \"%.*s\"", (int)len, text);
}

int cluster_read(const struct cluster_options *options, struct cluster *ret, struct err *err)
{
    struct cluster made = {.options = *options};
    if (!options->name || !options->nodes)
        return err_set(err, ERR_USAGE, 0, "--name and --nodes are needed: see --help");
    for (const char *at = options->nodes;; at++) {
        size_t len = strcspn(at, ",");
        if (read_node(&made, at, len, err) < 0)
            return -1;
        at += len;
        if (*at == '\0')
            break;
    }
    if (give_addresses(&made, err) < 0)
        return -1;
    for (size_t i = 0; i < options->roles.count; i++)
        if (give_role(&made, options->roles.values[i], err) < 0)
            return -1;
    if (made.witness_count == made.node_count)
        return err_set(err, ERR_USAGE, 0, "--role: a cluster of witnesses alone runs nothing");
    for (size_t i = 0, at = 0; i < made.node_count; i++)
        at += (size_t)snprintf(made.nodes_text + at, sizeof made.nodes_text - at, "%s%s=%s", i > 0 ? "," : "",
                               made.nodes[i].name, made.nodes[i].ip);
    *ret = made;
    return 0;
}

int cluster_make_secret(struct cluster *cluster, struct err *err)
{
    unsigned char bytes[CLUSTER_SECRET_SIZE];
    cleanup_buf_wipe struct buf text = BUF_INIT(CLUSTER_SECRET_TEXT);
    /* blocks until the kernel's generator is seeded; up to 256 bytes then arrive whole: getrandom(2) */
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_sys(err, errno, "random bytes from the kernel");
    base64_add(&text, bytes, sizeof bytes);
    explicit_bzero(bytes, sizeof bytes);
    if (buf_check(&text, "the secret", err) < 0)
        return -1;
    memcpy(cluster->secret, text.data, text.len + 1);
    return 0;
}

/* The part of the node's metadata that the agent reads. */
static int node_document(const struct cluster *cluster, const struct cluster_node *node, struct buf *ret,
                         struct err *err)
{
    struct json_writer writer = {.buf = ret};
    json_open(&writer, NULL, '{');
    json_string(&writer, "name", node->name);
    json_open(&writer, "networkInterfaces", '[');
    json_open(&writer, NULL, '{');
    json_string(&writer, "ip", node->ip);
    json_close(&writer, '}');
    json_close(&writer, ']');
    cluster_json_attributes(cluster, node, true, &writer);
    json_close(&writer, '}');
    if (writer.bad)
        return err_set(err, ERR_USAGE, 0, "an argument is %s", writer.bad);
    return json_write_end(&writer, "the metadata", err);
}

/* The reader's messages name attributes, which are named like the options; its prefix "metadata: " is
 * dropped. */
static int as_usage(struct err *err)
{
    static const char prefix[] = "metadata: ";
    size_t len = strncmp(err->text, prefix, sizeof prefix - 1) == 0 ? sizeof prefix - 1 : 0;
    memmove(err->text, err->text + len, strlen(err->text + len) + 1);
    if (err->kind == ERR_VERIFY)
        err->kind = ERR_USAGE;
    return -1;
}

int cluster_check(const struct cluster *cluster, struct err *err)
{
    for (size_t i = 0; i < cluster->node_count; i++) {
        cleanup_buf_wipe struct buf document = BUF_INIT(CLUSTER_TEXT_MAX);
        cleanup_cluster_secret struct cluster_secret secret = {0};
        struct node_metadata metadata;
        if (node_document(cluster, &cluster->nodes[i], &document, err) < 0)
            return -1;
        if (node_metadata_parse(&(struct node_metadata_text){document.data, document.len},
                                &(struct node_metadata_text){"{}", 2}, &metadata, &secret, err) < 0)
            return as_usage(err);
    }
    return 0;
}
