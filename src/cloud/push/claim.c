#include "cloud/push/claim.h"

#include "json/write.h"

enum { CLAIM_FORMAT = 1 };

int claim_write(const char *package, const char *image, const char *family, const struct parts *parts,
                struct buf *ret, struct err *err)
{
    struct json_writer json = {.buf = ret};
    json_open(&json, NULL, '{');
    json_uint(&json, "format", CLAIM_FORMAT);
    json_string(&json, "package", package);
    json_string(&json, "image", image);
    json_string(&json, "family", family ? family : "");
    json_open(&json, "segments", '[');
    for (size_t i = 0; i < parts->levels[0].count; i++)
        if (!parts->nodes[i].duplicate)
            json_string(&json, NULL, parts->nodes[i].name);
    json_close(&json, ']');
    json_close(&json, '}');
    return json_write_end(&json, "the package's list of parts", err);
}

int claim_read(const char *text, size_t len, const char *name, struct claim *ret, struct err *err)
{
    cleanup_json struct json_doc *doc = NULL;
    struct claim made = {0};
    uint64_t format = 0;
    if (json_parse(text, len, name, JSON_STRICT, ERR_VERIFY, &doc, err) < 0)
        return -1;
    const cJSON *root = json_root(doc);
    if (!cJSON_IsObject(root))
        return json_error(doc, root, err, "expected an object");
    if (json_get_uint(doc, root, "format", true, 0, 1000, &format, err) < 0 ||
        json_get_string(doc, root, "package", true, &made.package, err) < 0 ||
        json_get_string(doc, root, "image", true, &made.image, err) < 0 ||
        json_get_string(doc, root, "family", true, &made.family, err) < 0 ||
        json_get_array(doc, root, "segments", true, &made.segments, err) < 0)
        return -1;
    if (format != CLAIM_FORMAT)
        return json_error(doc, root, err, "a claim of a format that this bake does not know");
    for (const cJSON *item = made.segments->child; item; item = item->next)
        if (!cJSON_IsString(item))
            return json_error(doc, item, err, "expected a segment's name");
    made.doc = steal_ptr(doc);
    *ret = made;
    return 0;
}

void claim_free(struct claim *claim)
{
    json_free(claim->doc);
    *claim = (struct claim){0};
}
