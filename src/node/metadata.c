#include "node/metadata.h"

#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#include "node/json_pull.h"

enum { RAW_CAP = 2048 };

/* Every value as received, unchecked. */
enum raw_key {
    NAME,
    ID,
    HOSTNAME,
    ZONE,
    IP,
    CLUSTER_NAME,
    CLUSTER_NODES,
    POD_CIDR,
    SERVICE_CIDR,
    DOMAIN,
    API_NAMES,
    ROLE,
    BUCKET,
    RESTORE,
    SECRET,
    NEXT_SECRET,
    RAW_COUNT
};

struct raw {
    char text[RAW_COUNT][RAW_CAP];
};

static const char *const raw_names[RAW_COUNT] = {"name",
                                                 "id",
                                                 "hostname",
                                                 "zone",
                                                 "networkInterfaces[0].ip",
                                                 "cluster-name",
                                                 "cluster-nodes",
                                                 "cluster-pod-cidr",
                                                 "cluster-service-cidr",
                                                 "cluster-domain",
                                                 "cluster-api-names",
                                                 "cluster-role",
                                                 "snapshot-bucket",
                                                 "cluster-restore",
                                                 "cluster-secret",
                                                 "cluster-secret-next"};

static bool is_list(size_t key)
{
    return key == CLUSTER_NODES || key == API_NAMES;
}

/* Values come through editors and shells, which leave a line end behind, or spaces after commas. White space
 * around a value goes; of a list, also around its commas, and a line is as good as a comma. */
static void trim(char *value, bool list)
{
    static const char space[] = " \t\r\n";
    char *to = value;
    for (const char *at = value + strspn(value, space); *at;) {
        size_t blank = strspn(at, space);
        if (at[blank] == '\0')
            break;
        if (blank == 0 && !(list && *at == ',')) {
            *to++ = *at++;
            continue;
        }
        bool line = memchr(at, '\n', blank), comma = at[blank] == ',';
        if (!list || !(line || comma)) { /* inside a value: left to the value's own check */
            memmove(to, at, blank);
            to += blank;
            at += blank;
            continue;
        }
        *to++ = ',';
        at += blank + comma;
        at += strspn(at, space);
    }
    *to = '\0';
}

static void read_attributes(struct json_pull *j, struct raw *raw)
{
    bool seen[RAW_COUNT] = {false};
    char key[64];
    for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);) {
        size_t i = CLUSTER_NAME;
        while (i < RAW_COUNT && strcmp(key, raw_names[i]) != 0)
            i++;
        if (i == RAW_COUNT) {
            json_pull_skip(j);
            continue;
        }
        char value[RAW_CAP];
        json_pull_string(j, value, sizeof value);
        if (seen[i])
            json_pull_fail(j, "an attribute stands there twice");
        seen[i] = true;
        trim(value, is_list(i));
        if (value[0] != '\0')
            memcpy(raw->text[i], value, sizeof value);
    }
}

static void read_interface(struct json_pull *j, struct raw *raw)
{
    char key[64];
    for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);)
        if (strcmp(key, "ip") == 0)
            json_pull_string(j, raw->text[IP], RAW_CAP);
        else
            json_pull_skip(j);
}

static void read_interfaces(struct json_pull *j, struct raw *raw)
{
    bool first = true;
    for (json_pull_open(j, '['); json_pull_item(j); first = false)
        if (first)
            read_interface(j, raw);
        else
            json_pull_skip(j);
}

static void read_instance(struct json_pull *j, struct raw *raw)
{
    bool attributes = false, interfaces = false, seen[RAW_COUNT] = {false};
    char key[64];
    for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);) {
        size_t i = 0;
        while (i < IP && strcmp(key, raw_names[i]) != 0)
            i++;
        bool *twice = NULL;
        if (strcmp(key, "attributes") == 0) {
            twice = &attributes;
            read_attributes(j, raw);
        } else if (strcmp(key, "networkInterfaces") == 0) {
            twice = &interfaces;
            read_interfaces(j, raw);
        } else if (i < IP) {
            twice = &seen[i];
            json_pull_digits(j, raw->text[i], RAW_CAP);
        } else {
            json_pull_skip(j);
            continue;
        }
        if (*twice)
            json_pull_fail(j, "a value stands there twice");
        *twice = true;
    }
}

/* Quotes text from outside in messages, without control characters. */
static int refuse(enum raw_key key, const char *text, const char *must, struct err *err)
{
    char shown[81];
    size_t len = 0;
    for (; len < sizeof shown - 1 && text[len]; len++)
        shown[len] = text[len] > 0x20 && text[len] < 0x7f && text[len] != '"' ? text[len] : '?';
    shown[len] = '\0';
    if (text[0] == '\0')
        return err_set(err, ERR_VERIFY, 0, "metadata: %s is missing: it must be %s", raw_names[key], must);
    return err_set(err, ERR_VERIFY, 0, "metadata: %s is \"%s\": it must be %s", raw_names[key], shown, must);
}

struct rule {
    enum raw_key key;
    bool (*ok)(const char *text);
    const char *must;
    const char *fallback; /* NULL: required */
};

static int take_value(const struct raw *raw, const struct rule *rule, char *out, size_t cap, struct err *err)
{
    const char *text = raw->text[rule->key];
    if (text[0] == '\0' && rule->fallback)
        text = rule->fallback;
    else if (strlen(text) >= cap || !rule->ok(text))
        return refuse(rule->key, text, rule->must, err);
    snprintf(out, cap, "%s", text);
    return 0;
}

static int take_values(const struct raw *raw, struct node_metadata *m, struct err *err)
{
    const char *label = "lower-case letters, digits and dashes, at most 63, a letter first";
    const char *range = "an IPv4 range ADDRESS/BITS with 8 to 30 bits, and no bits set behind them";
    const char *domain = "a domain name in lower case";
    const char *bucket = "the name of a bucket, without gs://";
    const char *restore = "ID=newest, ID=SNAPSHOT or ID=disk@NODE, with a new ID for each restore";
    const struct {
        struct rule rule;
        char *out;
        size_t cap;
    } all[] = {
        {{NAME, value_name_ok, label, NULL}, m->name, sizeof m->name},
        {{ID, value_id_ok, "a number", "0"}, m->id, sizeof m->id},
        {{HOSTNAME, value_domain_ok, domain, m->name}, m->hostname, sizeof m->hostname},
        {{ZONE, value_name_ok, label, ""}, m->zone, sizeof m->zone},
        {{IP, value_ip_ok, "an IPv4 address of this machine", NULL}, m->ip, sizeof m->ip},
        {{CLUSTER_NAME, value_name_ok, label, NULL}, m->cluster_name, sizeof m->cluster_name},
        {{POD_CIDR, value_cidr_ok, range, "10.244.0.0/16"}, m->pod_cidr, sizeof m->pod_cidr},
        {{SERVICE_CIDR, value_cidr_ok, range, "10.96.0.0/16"}, m->service_cidr, sizeof m->service_cidr},
        {{DOMAIN, value_domain_ok, domain, "cluster.local"}, m->domain, sizeof m->domain},
        {{BUCKET, value_bucket_ok, bucket, ""}, m->snapshot_bucket, sizeof m->snapshot_bucket},
        {{RESTORE, value_restore_ok, restore, ""}, m->restore, sizeof m->restore},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (take_value(raw, &all[i].rule, all[i].out, all[i].cap, err) < 0)
            return -1;
    return 0;
}

/* One "NAME=IP" of cluster-nodes. */
static bool take_node(const char *text, size_t len, struct node_metadata *m)
{
    const char *equals = memchr(text, '=', len);
    struct node_member *node = &m->nodes[m->node_count];
    size_t name_len = equals ? (size_t)(equals - text) : len;
    if (!equals || name_len >= sizeof node->name || len - name_len - 1 >= sizeof node->ip)
        return false;
    memcpy(node->name, text, name_len);
    node->name[name_len] = '\0';
    memcpy(node->ip, equals + 1, len - name_len - 1);
    node->ip[len - name_len - 1] = '\0';
    for (size_t i = 0; i < m->node_count; i++)
        if (strcmp(m->nodes[i].name, node->name) == 0 || strcmp(m->nodes[i].ip, node->ip) == 0)
            return false;
    m->node_count++;
    return value_name_ok(node->name) && value_ip_ok(node->ip);
}

static int take_nodes(const struct raw *raw, struct node_metadata *m, struct err *err)
{
    const char *text = raw->text[CLUSTER_NODES];
    if (text[0] == '\0') {
        memcpy(m->nodes[0].name, m->name, sizeof m->name);
        memcpy(m->nodes[0].ip, m->ip, sizeof m->ip);
        m->node_count = 1;
        return 0;
    }
    for (const char *at = text;;) {
        size_t len = strcspn(at, ",");
        if (m->node_count == NODE_MEMBERS_MAX || !take_node(at, len, m))
            return refuse(CLUSTER_NODES, text, "NAME=IP,NAME=IP,..., at most 9, each name and address once",
                          err);
        if (at[len] == '\0')
            break;
        at += len + 1;
    }
    for (size_t i = 0; i < m->node_count; i++)
        if (strcmp(m->nodes[m->self = i].name, m->name) == 0)
            return strcmp(m->nodes[i].ip, m->ip) == 0
                       ? 0
                       : err_set(err, ERR_VERIFY, 0,
                                 "metadata: cluster-nodes gives %s the address %s, but it has %s", m->name,
                                 m->nodes[i].ip, m->ip);
    return err_set(err, ERR_VERIFY, 0, "metadata: cluster-nodes does not name this instance, %s", m->name);
}

static int take_api_names(const struct raw *raw, struct node_metadata *m, struct err *err)
{
    const char *text = raw->text[API_NAMES];
    for (const char *at = text; *at; at += *at == ',') {
        size_t len = strcspn(at, ",");
        if (m->api_name_count == NODE_API_NAMES_MAX || len >= sizeof m->api_names[0])
            return refuse(API_NAMES, text, "at most 8 names or addresses, comma between", err);
        char *name = m->api_names[m->api_name_count];
        memcpy(name, at, len);
        name[len] = '\0';
        /* what looks like an address must be one: "10.0.0.256" would pass as a domain name */
        bool ok = name[strspn(name, "0123456789.")] == '\0' ? value_ip_ok(name) : value_domain_ok(name);
        at += len;
        if (!ok || (*at == ',' && at[1] == '\0'))
            return refuse(API_NAMES, text, "domain names in lower case or IPv4 addresses, comma between",
                          err);
        m->api_name_count++;
    }
    return 0;
}

static int take_role(const struct raw *raw, struct node_metadata *m, struct err *err)
{
    const char *text = raw->text[ROLE];
    if (text[0] == '\0' || strcmp(text, "node") == 0)
        m->role = NODE_ROLE_NODE;
    else if (strcmp(text, "witness") == 0)
        m->role = NODE_ROLE_WITNESS;
    else
        return refuse(ROLE, text, "node or witness", err);
    return 0;
}

/* Overlapping ranges would misroute packets of some pods, services or nodes, and show only much later. */
static int check_ranges(const struct node_metadata *m, struct err *err)
{
    if (value_cidrs_overlap(m->pod_cidr, m->service_cidr))
        return err_set(err, ERR_VERIFY, 0,
                       "metadata: cluster-pod-cidr %s and cluster-service-cidr %s overlap", m->pod_cidr,
                       m->service_cidr);
    for (size_t i = 0; i < m->node_count; i++) {
        const char *in_pods = value_cidr_holds(m->pod_cidr, m->nodes[i].ip) ? m->pod_cidr : NULL;
        const char *in = in_pods                                             ? in_pods
                         : value_cidr_holds(m->service_cidr, m->nodes[i].ip) ? m->service_cidr
                                                                             : NULL;
        if (in)
            return err_set(err, ERR_VERIFY, 0, "metadata: the address %s of %s lies in %s, %s",
                           m->nodes[i].ip, m->nodes[i].name, raw_names[in_pods ? POD_CIDR : SERVICE_CIDR],
                           in);
    }
    return 0;
}

static int take_secret(const struct raw *raw, struct cluster_secret *ret, struct err *err)
{
    cleanup_cluster_secret struct cluster_secret next = {0};
    *ret = (struct cluster_secret){0};
    if (raw->text[SECRET][0] != '\0' && cluster_secret_parse(raw->text[SECRET], ret, err) < 0)
        return err_wrap(err, "metadata: %s", raw_names[SECRET]);
    if (raw->text[NEXT_SECRET][0] == '\0')
        return 0;
    if (cluster_secret_parse(raw->text[NEXT_SECRET], &next, err) < 0)
        return err_wrap(err, "metadata: %s", raw_names[NEXT_SECRET]);
    if (sodium_memcmp(ret->bytes, next.bytes, sizeof next.bytes) == 0)
        return err_set(err, ERR_VERIFY, 0, "metadata: %s is the same as %s", raw_names[NEXT_SECRET],
                       raw_names[SECRET]);
    ret->has_next = ret->set;
    memcpy(ret->next, next.bytes, sizeof ret->next);
    return 0;
}

static void free_raw(struct raw **raw)
{
    if (*raw)
        explicit_bzero(*raw, sizeof **raw);
    free(*raw);
}

int node_metadata_parse(const struct node_metadata_text *instance, const struct node_metadata_text *project,
                        struct node_metadata *ret, struct cluster_secret *ret_secret, struct err *err)
{
    struct json_pull of_project = JSON_PULL_INIT(project->text, project->len);
    struct json_pull of_instance = JSON_PULL_INIT(instance->text, instance->len);
    struct node_metadata made = {0};
    struct cluster_secret secret = {0};
    cleanup(free_raw) struct raw *raw = calloc(1, sizeof *raw);
    if (!raw)
        return err_oom(err);
    read_attributes(&of_project, raw);
    read_instance(&of_instance, raw);
    if (json_pull_end(&of_project, "metadata: project/attributes/", err) < 0 ||
        json_pull_end(&of_instance, "metadata: instance/", err) < 0)
        return -1;
    char *slash = strrchr(raw->text[ZONE], '/'); /* projects/NUMBER/zones/ZONE */
    if (slash)
        memmove(raw->text[ZONE], slash + 1, strlen(slash));
    if (take_values(raw, &made, err) < 0 || take_nodes(raw, &made, err) < 0 ||
        take_role(raw, &made, err) < 0 || take_api_names(raw, &made, err) < 0 ||
        check_ranges(&made, err) < 0 || (ret_secret && take_secret(raw, &secret, err) < 0))
        return -1;
    if (ret_secret)
        *ret_secret = secret;
    explicit_bzero(&secret, sizeof secret);
    *ret = made;
    return 0;
}

bool node_metadata_same_members(const struct node_metadata *a, const struct node_metadata *b)
{
    if (a->node_count != b->node_count)
        return false;
    for (size_t i = 0; i < a->node_count; i++)
        if (strcmp(a->nodes[i].name, b->nodes[i].name) != 0 || strcmp(a->nodes[i].ip, b->nodes[i].ip) != 0)
            return false;
    return true;
}

void node_metadata_write_members(const struct node_metadata *m, struct buf *ret)
{
    for (size_t i = 0; i < m->node_count; i++)
        buf_printf(ret, "%s%s=%s", i > 0 ? "," : "", m->nodes[i].name, m->nodes[i].ip);
}

/* Nothing needs escaping: no checked value holds a quote, backslash or control character. */
void node_metadata_write(const struct node_metadata *m, struct buf *ret)
{
    buf_str(ret, "{\"attributes\":{\"cluster-api-names\":\"");
    for (size_t i = 0; i < m->api_name_count; i++)
        buf_printf(ret, "%s%s", i > 0 ? "," : "", m->api_names[i]);
    buf_printf(ret, "\",\"cluster-domain\":\"%s\",\"cluster-name\":\"%s\",\"cluster-nodes\":\"", m->domain,
               m->cluster_name);
    node_metadata_write_members(m, ret);
    buf_printf(ret, "\",\"cluster-pod-cidr\":\"%s\",\"cluster-role\":\"%s\",\"cluster-service-cidr\":\"%s\",",
               m->pod_cidr, m->role == NODE_ROLE_WITNESS ? "witness" : "node", m->service_cidr);
    buf_printf(ret, "\"snapshot-bucket\":\"%s\",\"cluster-restore\":\"%s\"},", m->snapshot_bucket,
               m->restore);
    buf_printf(ret, "\"hostname\":\"%s\",\"id\":%s,\"name\":\"%s\",", m->hostname, m->id, m->name);
    buf_printf(ret, "\"networkInterfaces\":[{\"ip\":\"%s\"}],\"zone\":\"%s\"}\n", m->ip, m->zone);
}
