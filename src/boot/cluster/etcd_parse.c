/* Parses the answers of etcd's gateway, which are not trusted. */
#include <string.h>

#include "boot/cluster/etcd.h"
#include "json/json.h"
#include "text/base64.h"

enum { TEXT_CAP = 1024, NUMBER_MAX = 20 };

static int parse(const char *text, size_t len, struct json_doc **ret, struct err *err)
{
    if (json_parse(text, len, "etcd", JSON_STRICT, ERR_VERIFY, ret, err) < 0)
        return -1;
    if (!cJSON_IsObject(json_root(*ret)))
        return json_error(*ret, json_root(*ret), err, "the answer is not an object");
    return 0;
}

/* A 64-bit number in a string; 0 if it is omitted. */
static int get_number(const struct json_doc *doc, const cJSON *object, const char *key, uint64_t *ret,
                      struct err *err)
{
    const char *text = NULL;
    uint64_t made = 0;
    if (json_get_string(doc, object, key, false, &text, err) < 0)
        return -1;
    for (const char *c = text; c && *c; c++) {
        if (*c < '0' || *c > '9' || c - text >= NUMBER_MAX ||
            __builtin_mul_overflow(made, (uint64_t)10, &made) ||
            __builtin_add_overflow(made, (uint64_t)(*c - '0'), &made))
            return json_error(doc, object, err, "%s is not a number", key);
    }
    *ret = made;
    return 0;
}

int etcd_status_parse(const char *text, size_t len, struct etcd_status *ret, struct err *err)
{
    cleanup_json struct json_doc *doc = NULL;
    const cJSON *header = NULL;
    struct etcd_status made = {0};
    if (parse(text, len, &doc, err) < 0 ||
        json_get_object(doc, json_root(doc), "header", true, &header, err) < 0 ||
        get_number(doc, header, "member_id", &made.member, err) < 0 ||
        get_number(doc, json_root(doc), "leader", &made.leader, err) < 0)
        return -1;
    if (made.member == 0)
        return err_set(err, ERR_VERIFY, 0, "etcd: the answer names no member");
    *ret = made;
    return 0;
}

/* Names are printed and compared with guests' names: anything else becomes "?". */
static void copy_name(const char *text, char out[static ETCD_NAME_CAP])
{
    size_t len = text ? strlen(text) : 0;
    bool good =
        len < ETCD_NAME_CAP && len == strspn(text ? text : "", "abcdefghijklmnopqrstuvwxyz0123456789-");
    snprintf(out, ETCD_NAME_CAP, "%s", len == 0 ? "" : good ? text : "?");
}

int etcd_list_parse(const char *text, size_t len, struct etcd_list *ret, struct err *err)
{
    cleanup_json struct json_doc *doc = NULL;
    const cJSON *members = NULL;
    struct etcd_list made = {0};
    if (parse(text, len, &doc, err) < 0 ||
        json_get_array(doc, json_root(doc), "members", true, &members, err) < 0)
        return -1;
    for (const cJSON *item = members->child; item; item = item->next) {
        const char *name = NULL;
        if (made.count == ETCD_LIST_MAX || !cJSON_IsObject(item))
            return json_error(doc, item, err, "not a list of at most %d members", ETCD_LIST_MAX);
        struct etcd_member_seen *member = &made.members[made.count++];
        if (get_number(doc, item, "ID", &member->id, err) < 0 ||
            json_get_string(doc, item, "name", false, &name, err) < 0)
            return -1;
        copy_name(name, member->name);
    }
    *ret = made;
    return 0;
}

static int get_bytes(const struct json_doc *doc, const cJSON *object, const char *key,
                     char out[static TEXT_CAP], struct err *err)
{
    const char *text = NULL;
    size_t len = 0;
    if (json_get_string(doc, object, key, false, &text, err) < 0)
        return -1;
    if (text && !base64_decode(text, strlen(text), out, TEXT_CAP - 1, &len))
        return json_error(doc, object, err, "%s is not base64 of at most %d bytes", key, TEXT_CAP - 1);
    out[len] = '\0';
    return 0;
}

int etcd_range_parse(const char *text, size_t len,
                     int (*visit)(void *ctx, const char *key, const char *value, struct err *err), void *ctx,
                     struct err *err)
{
    cleanup_json struct json_doc *doc = NULL;
    const cJSON *list = NULL;
    if (parse(text, len, &doc, err) < 0 || json_get_array(doc, json_root(doc), "kvs", false, &list, err) < 0)
        return -1;
    for (const cJSON *item = list ? list->child : NULL; item; item = item->next) {
        char key[TEXT_CAP], value[TEXT_CAP];
        if (!cJSON_IsObject(item))
            return json_error(doc, item, err, "a key must be an object");
        if (get_bytes(doc, item, "key", key, err) < 0 || get_bytes(doc, item, "value", value, err) < 0 ||
            visit(ctx, key, value, err) < 0)
            return -1;
    }
    return 0;
}
