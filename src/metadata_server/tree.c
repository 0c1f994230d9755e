#include "metadata_server/tree.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "json/json.h"
#include "json/write.h"
#include "text/utf8.h"

static const char *text_or(const char *text, const char *fallback)
{
    return text ? text : fallback;
}

/* --- building: every add_* returns false if out of memory --- */

static bool add_text(cJSON *to, const char *key, const char *value)
{
    return cJSON_AddStringToObject(to, key, value) != NULL;
}

/* Numbers and lists are leaves, too; their text is their JSON. */
static bool add_raw(cJSON *to, const char *key, const char *json)
{
    return cJSON_AddRawToObject(to, key, json) != NULL;
}

static bool add_number(cJSON *to, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return add_raw(to, key, text);
}

/* "projects/NUMBER/KIND/NAME", as zones and machine types are named. */
static bool add_resource(cJSON *to, const char *key, const struct metadata_server_instance *values,
                         const char *kind, const char *name)
{
    char text[METADATA_KEY_MAX * 2 + 64];
    snprintf(text, sizeof text, "projects/%" PRIu64 "/%s/%s", values->project_number, kind, name);
    return add_text(to, key, text);
}

static int by_key(const void *a, const void *b)
{
    const struct metadata_server_attribute *left = a, *right = b;
    return strcmp(left->key, right->key);
}

static int check_attribute(const struct metadata_server_attribute *attribute, struct err *err)
{
    const char *key = attribute->key;
    size_t len = strlen(key);
    if (len == 0 || len > METADATA_KEY_MAX)
        return err_set(err, ERR_USAGE, 0, "a metadata key has 1 to %d characters, this one has %zu",
                       METADATA_KEY_MAX, len);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)key[i]) && key[i] != '-' && key[i] != '_')
            return err_set(err, ERR_USAGE, 0,
                           "a metadata key may contain only letters, digits, - and _: \"%s\"", key);
    size_t size = strlen(attribute->value);
    if (size > METADATA_VALUE_MAX)
        return err_set(err, ERR_USAGE, 0, "metadata value of %s: %zu bytes, the limit is %d", key, size,
                       METADATA_VALUE_MAX);
    if (!utf8_ok(attribute->value, size))
        return err_set(err, ERR_USAGE, 0, "metadata value of %s: not UTF-8", key);
    return 0;
}

static int add_attributes(cJSON *to, const struct metadata_server_attribute *list, size_t count,
                          size_t *total, struct err *err)
{
    if (count > METADATA_ATTRIBUTES_MAX)
        return err_set(err, ERR_USAGE, 0, "%zu metadata attributes, the limit is %d", count,
                       METADATA_ATTRIBUTES_MAX);
    cJSON *made = cJSON_AddObjectToObject(to, "attributes");
    struct metadata_server_attribute sorted[METADATA_ATTRIBUTES_MAX];
    if (!made)
        return err_oom(err);
    for (size_t i = 0; i < count; i++) {
        if (check_attribute(&list[i], err) < 0)
            return -1;
        *total += strlen(list[i].key) + strlen(list[i].value);
        if (*total > METADATA_TOTAL_MAX)
            return err_set(err, ERR_USAGE, 0, "metadata is over %d bytes in all", METADATA_TOTAL_MAX);
        sorted[i] = list[i];
    }
    qsort(sorted, count, sizeof *sorted, by_key);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(sorted[i - 1].key, sorted[i].key) == 0)
            return err_set(err, ERR_USAGE, 0, "metadata key \"%s\" is given twice", sorted[i].key);
        if (!add_text(made, sorted[i].key, sorted[i].value))
            return err_oom(err);
    }
    return 0;
}

static bool add_interface(cJSON *instance, const struct metadata_server_instance *values)
{
    cJSON *list = cJSON_AddArrayToObject(instance, "network-interfaces");
    cJSON *nic = cJSON_CreateObject();
    if (!list || !nic || !cJSON_AddItemToArray(list, nic)) {
        cJSON_Delete(nic);
        return false;
    }
    cJSON *outside = cJSON_AddArrayToObject(nic, "access-configs");
    cJSON *config = cJSON_CreateObject();
    if (!outside || !config || !cJSON_AddItemToArray(outside, config)) {
        cJSON_Delete(config);
        return false;
    }
    return add_text(config, "external-ip", text_or(values->external_ip, "")) &&
           add_text(config, "type", "ONE_TO_ONE_NAT") &&
           add_raw(nic, "dns-servers",
                   "[\""
                   "169.254.169.254"
                   "\"]") &&
           add_raw(nic, "forwarded-ips", "[]") && add_text(nic, "gateway", values->gateway) &&
           add_text(nic, "ip", values->ip) && add_raw(nic, "ip-aliases", "[]") &&
           add_text(nic, "mac", values->mac) && add_raw(nic, "mtu", "1460") &&
           add_resource(nic, "network", values, "networks", "default") &&
           add_text(nic, "subnetmask", values->netmask) && add_raw(nic, "target-instance-ips", "[]");
}

static bool add_scheduling(cJSON *instance)
{
    cJSON *made = cJSON_AddObjectToObject(instance, "scheduling");
    return made && add_text(made, "automatic-restart", "TRUE") &&
           add_text(made, "on-host-maintenance", "MIGRATE") && add_text(made, "preemptible", "FALSE");
}

static int fill_tree(cJSON *root, const struct metadata_server_instance *values, struct err *err)
{
    size_t total = 0;
    cJSON *instance = cJSON_AddObjectToObject(root, "instance");
    cJSON *project = cJSON_AddObjectToObject(root, "project");
    if (!instance || !project)
        return err_oom(err);
    if (add_attributes(instance, values->attributes, values->attribute_count, &total, err) < 0)
        return -1;
    if (!add_text(instance, "cpu-platform", "Unknown CPU Platform") ||
        !add_text(instance, "description", "") || !add_text(instance, "hostname", values->hostname) ||
        !add_number(instance, "id", values->id) || !add_text(instance, "image", "") ||
        !add_resource(instance, "machine-type", values, "machineTypes", values->machine_type) ||
        !add_text(instance, "maintenance-event", "NONE") || !add_text(instance, "name", values->name) ||
        !add_interface(instance, values) || !add_text(instance, "preempted", "FALSE") ||
        !add_scheduling(instance) || !cJSON_AddObjectToObject(instance, "service-accounts") ||
        !add_raw(instance, "tags", "[]") || !add_resource(instance, "zone", values, "zones", values->zone))
        return err_oom(err);
    if (add_attributes(project, values->project_attributes, values->project_attribute_count, &total, err) < 0)
        return -1;
    if (!add_number(project, "numeric-project-id", values->project_number) ||
        !add_text(project, "project-id", values->project_id))
        return err_oom(err);
    return 0;
}

/* Values become part of resource names and lines of text. */
static int check_value(const char *what, const char *value, struct err *err)
{
    if (!value || !*value)
        return err_set(err, ERR_USAGE, 0, "metadata: the %s is missing", what);
    if (strlen(value) > METADATA_KEY_MAX)
        return err_set(err, ERR_USAGE, 0, "metadata: %s is over %d bytes", what, METADATA_KEY_MAX);
    for (const char *c = value; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.:", *c))
            return err_set(err, ERR_USAGE, 0, "metadata: %s contains a character that is not allowed: \"%s\"",
                           what, value);
    return 0;
}

int tree_build(const struct metadata_server_instance *values, cJSON **ret, struct err *err)
{
    if (check_value("instance name", values->name, err) < 0 ||
        check_value("hostname", values->hostname, err) < 0 || check_value("zone", values->zone, err) < 0 ||
        check_value("machine type", values->machine_type, err) < 0 ||
        check_value("address", values->ip, err) < 0 || check_value("gateway", values->gateway, err) < 0 ||
        check_value("netmask", values->netmask, err) < 0 ||
        check_value("MAC address", values->mac, err) < 0 ||
        check_value("project id", values->project_id, err) < 0)
        return -1;
    if (values->external_ip && *values->external_ip &&
        check_value("external address", values->external_ip, err) < 0)
        return -1;
    cJSON *root = cJSON_CreateObject();
    if (!root)
        return err_oom(err);
    if (fill_tree(root, values, err) < 0) {
        cJSON_Delete(root);
        return -1;
    }
    *ret = root;
    return 0;
}

/* --- looking up --- */

static bool is_directory(const cJSON *node)
{
    return cJSON_IsObject(node) || cJSON_IsArray(node);
}

bool tree_is_directory(const struct tree_place *place)
{
    return is_directory(place->node);
}

static const cJSON *child_of(const cJSON *node, const char *name)
{
    if (cJSON_IsObject(node))
        return cJSON_GetObjectItemCaseSensitive(node, name);
    if (!cJSON_IsArray(node) || strlen(name) > 4 || strspn(name, "0123456789") != strlen(name) ||
        (name[0] == '0' && name[1]))
        return NULL;
    return cJSON_GetArrayItem(node, (int)strtol(name, NULL, 10));
}

bool tree_find(const cJSON *root, const char *path, struct tree_place *ret)
{
    struct tree_place at = {.node = root};
    char name[METADATA_KEY_MAX + 1];
    while (*path) {
        size_t len = strcspn(path, "/");
        if (len == 0 || len >= sizeof name || !is_directory(at.node))
            return false;
        memcpy(name, path, len);
        name[len] = 0;
        at.node = child_of(at.node, name);
        if (!at.node)
            return false;
        at.verbatim = at.verbatim || strcmp(name, "attributes") == 0;
        path += len;
        if (*path == '/' && !is_directory(at.node))
            return false;
        path += *path == '/';
    }
    *ret = at;
    return true;
}

/* --- showing --- */

static void show_json_text(const char *text, struct buf *ret)
{
    struct json_writer json = {.buf = ret, .lossy = true};
    json_string(&json, NULL, text);
}

/* "network-interfaces" is "networkInterfaces" in JSON. */
static void show_json_key(const char *key, bool verbatim, struct buf *ret)
{
    char camel[METADATA_KEY_MAX + 1];
    size_t n = 0;
    for (const char *c = key; *c && n + 1 < sizeof camel; c++) {
        bool raise = !verbatim && *c == '-' && c[1];
        c += raise;
        camel[n++] = raise ? (char)toupper((unsigned char)*c) : *c;
    }
    camel[n] = 0;
    show_json_text(camel, ret);
}

/* The recursion is bounded by the tree's depth, a handful of levels. */
static void show_recursive_json(const cJSON *node, bool verbatim, struct buf *ret)
{
    if (cJSON_IsString(node)) {
        show_json_text(node->valuestring, ret);
        return;
    }
    if (!is_directory(node)) {
        buf_str(ret, node->valuestring);
        return;
    }
    bool list = cJSON_IsArray(node);
    buf_str(ret, list ? "[" : "{");
    for (const cJSON *child = node->child; child; child = child->next) {
        if (child != node->child)
            buf_str(ret, ",");
        if (!list) {
            show_json_key(child->string, verbatim, ret);
            buf_str(ret, ":");
        }
        show_recursive_json(child, verbatim || (!list && strcmp(child->string, "attributes") == 0), ret);
    }
    buf_str(ret, list ? "]" : "}");
}

static void show_recursive_text(const cJSON *node, const char *path, struct buf *ret)
{
    char name[METADATA_KEY_MAX * 4];
    int i = 0;
    if (!is_directory(node)) {
        buf_printf(ret, "%s%s%s\n", path, *path ? " " : "", node->valuestring);
        return;
    }
    for (const cJSON *child = node->child; child; child = child->next) {
        char number[12];
        snprintf(number, sizeof number, "%d", i++);
        int n = snprintf(name, sizeof name, "%s%s%s", path, *path ? "/" : "",
                         cJSON_IsArray(node) ? number : child->string);
        if (n < 0 || (size_t)n >= sizeof name)
            ret->failed = true;
        else
            show_recursive_text(child, name, ret);
    }
}

static void show_names(const cJSON *node, bool json, struct buf *ret)
{
    int i = 0;
    if (json)
        buf_str(ret, "[");
    for (const cJSON *child = node->child; child; child = child->next) {
        char name[METADATA_KEY_MAX + 2];
        const char *slash = is_directory(child) ? "/" : "";
        if (cJSON_IsArray(node))
            snprintf(name, sizeof name, "%d%s", i++, slash);
        else
            snprintf(name, sizeof name, "%s%s", child->string, slash);
        if (json) {
            buf_str(ret, child == node->child ? "" : ",");
            show_json_text(name, ret);
        } else {
            buf_printf(ret, "%s\n", name);
        }
    }
    if (json)
        buf_str(ret, "]");
}

void tree_show(const struct tree_place *place, enum tree_form form, struct buf *ret)
{
    const cJSON *node = place->node;
    bool directory = is_directory(node);
    if (form == TREE_RECURSIVE_JSON || (form == TREE_JSON && !directory))
        show_recursive_json(node, place->verbatim, ret);
    else if (!directory)
        buf_str(ret, node->valuestring);
    else if (form == TREE_RECURSIVE_TEXT)
        show_recursive_text(node, "", ret);
    else
        show_names(node, form == TREE_JSON, ret);
}
