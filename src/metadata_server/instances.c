#include "metadata_server/instances.h"

#include <arpa/inet.h>

#include "json/json.h"

/* The state of one parse. */
struct reading {
    struct json_doc *doc;
    struct arena *arena;
    struct metadata_server_instance project; /* its project_* members */
    struct err *err;
};

static int text_of(struct reading *r, const cJSON *object, const char *key, const char **ret)
{
    const char *text = NULL;
    if (json_get_string(r->doc, object, key, true, &text, r->err) < 0)
        return -1;
    *ret = arena_strdup(r->arena, text);
    return *ret ? 0 : err_oom(r->err);
}

/* tree_build() checks keys and values, whatever their source. */
static int attributes_of(struct reading *r, const cJSON *object, const struct metadata_server_attribute **ret,
                         size_t *ret_count)
{
    const cJSON *from = NULL;
    if (json_get_object(r->doc, object, "attributes", false, &from, r->err) < 0)
        return -1;
    int size = cJSON_GetArraySize(from);
    if (size == 0)
        return 0;
    if (size > METADATA_ATTRIBUTES_MAX)
        return json_error(r->doc, from, r->err, "%d attributes, the limit is %d", size,
                          METADATA_ATTRIBUTES_MAX);
    struct metadata_server_attribute *made = arena_array(r->arena, (size_t)size, sizeof *made);
    if (!made)
        return err_oom(r->err);
    size_t count = 0;
    for (const cJSON *item = from->child; item; item = item->next, count++) {
        if (!cJSON_IsString(item))
            return json_error(r->doc, item, r->err, "attribute \"%.128s\" must be a string", item->string);
        made[count].key = arena_strdup(r->arena, item->string);
        made[count].value = arena_strdup(r->arena, item->valuestring);
        if (!made[count].key || !made[count].value)
            return err_oom(r->err);
    }
    *ret = made;
    *ret_count = count;
    return 0;
}

static int read_project(struct reading *r)
{
    static const char *const known[] = {"id", "number", "attributes", NULL};
    const cJSON *project = NULL;
    struct metadata_server_instance *to = &r->project;
    if (json_get_object(r->doc, json_root(r->doc), "project", true, &project, r->err) < 0 ||
        json_only(r->doc, project, known, r->err) < 0 || text_of(r, project, "id", &to->project_id) < 0 ||
        json_get_uint(r->doc, project, "number", true, 1, UINT64_C(1) << 53, &to->project_number, r->err) < 0)
        return -1;
    return attributes_of(r, project, &to->project_attributes, &to->project_attribute_count);
}

const char *instances_mac(const char *ip, struct arena *arena)
{
    unsigned char b[4];
    if (inet_pton(AF_INET, ip, b) != 1)
        return NULL;
    return arena_printf(arena, "42:01:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3]);
}

/* The router has the first address of the subnet. */
static const char *gateway_of(const char *ip, struct arena *arena)
{
    unsigned char b[4];
    if (inet_pton(AF_INET, ip, b) != 1)
        return NULL;
    return arena_printf(arena, "%u.%u.%u.1", b[0], b[1], b[2]);
}

static int read_instance(struct reading *r, const cJSON *item, struct metadata_server_instance *to)
{
    static const char *const known[] = {"name", "ip", "zone", "id", "attributes", NULL};
    struct in_addr ip;
    *to = r->project;
    if (!cJSON_IsObject(item))
        return json_error(r->doc, item, r->err, "an instance must be an object");
    if (json_only(r->doc, item, known, r->err) < 0 || text_of(r, item, "name", &to->name) < 0 ||
        text_of(r, item, "ip", &to->ip) < 0 || text_of(r, item, "zone", &to->zone) < 0 ||
        json_get_uint(r->doc, item, "id", true, 1, UINT64_C(1) << 53, &to->id, r->err) < 0 ||
        attributes_of(r, item, &to->attributes, &to->attribute_count) < 0)
        return -1;
    if (inet_pton(AF_INET, to->ip, &ip) != 1)
        return json_error(r->doc, item, r->err, "ip: \"%.40s\" is not an IPv4 address", to->ip);
    to->hostname = arena_printf(r->arena, "%s.c.%s.internal", to->name, to->project_id);
    to->mac = instances_mac(to->ip, r->arena);
    to->gateway = gateway_of(to->ip, r->arena);
    to->netmask = "255.255.255.0";
    to->machine_type = "e2-small";
    return to->hostname && to->mac && to->gateway ? 0 : err_oom(r->err);
}

static int read_all(struct reading *r, const struct metadata_server_instance **ret, size_t *ret_count)
{
    static const char *const known[] = {"project", "instances", NULL};
    const cJSON *root = json_root(r->doc), *list = NULL;
    if (!cJSON_IsObject(root))
        return json_error(r->doc, root, r->err, "the file must hold an object");
    if (json_only(r->doc, root, known, r->err) < 0 || read_project(r) < 0 ||
        json_get_array(r->doc, root, "instances", true, &list, r->err) < 0)
        return -1;
    int size = cJSON_GetArraySize(list);
    if (size < 1 || size > METADATA_INSTANCES_MAX)
        return json_error(r->doc, list, r->err, "%d instances: there must be 1 to %d", size,
                          METADATA_INSTANCES_MAX);
    struct metadata_server_instance *made = arena_array(r->arena, (size_t)size, sizeof *made);
    if (!made)
        return err_oom(r->err);
    size_t count = 0;
    for (const cJSON *item = list->child; item; item = item->next)
        if (read_instance(r, item, &made[count++]) < 0)
            return -1;
    *ret = made;
    *ret_count = count;
    return 0;
}

int instances_parse(const char *text, size_t len, const char *name, struct arena *arena,
                    const struct metadata_server_instance **ret, size_t *ret_count, struct err *err)
{
    cleanup_json struct json_doc *doc = NULL;
    if (len > INSTANCES_TEXT_MAX)
        return err_set(err, ERR_RECIPE, 0, "%s: over %d bytes", name, INSTANCES_TEXT_MAX);
    if (json_parse(text, len, name, JSON_STRICT, ERR_RECIPE, &doc, err) < 0)
        return -1;
    struct reading reading = {.doc = doc, .arena = arena, .err = err};
    return read_all(&reading, ret, ret_count);
}
