/* The body of images.insert, and the ID that makes it safe to repeat. */
#include <string.h>

#include <openssl/evp.h>

#include "base/digest.h"
#include "cloud/images.h"

static void add(cJSON *object, const char *key, const char *value)
{
    if (value && *value)
        cJSON_AddStringToObject(object, key, value);
}

static void add_key(cJSON *array, const struct shielded_key *key)
{
    unsigned char *text = malloc(4 * ((key->len + 2) / 3) + 1);
    cJSON *object = cJSON_CreateObject();
    if (text && key->len < INT32_MAX / 2) {
        EVP_EncodeBlock(text, key->bytes, (int)key->len);
        cJSON_AddStringToObject(object, "content", (const char *)text);
    }
    cJSON_AddStringToObject(object, "fileType", key->x509 ? "X509" : "BIN");
    cJSON_AddItemToArray(array, object);
    free(text);
}

static void add_keys(cJSON *object, const char *name, const struct shielded_key *keys, size_t count)
{
    cJSON *array = count ? cJSON_AddArrayToObject(object, name) : NULL;
    for (size_t i = 0; i < count; i++)
        add_key(array, &keys[i]);
}

/* An empty object is refused by the API. */
static void add_shielded(cJSON *root, const struct image_spec *spec)
{
    if (spec->pk.len == 0 && spec->kek_count + spec->db_count + spec->dbx_count == 0)
        return;
    cJSON *state = cJSON_AddObjectToObject(root, "shieldedInstanceInitialState");
    if (spec->pk.len > 0) {
        cJSON *one = cJSON_CreateArray();
        add_key(one, &spec->pk);
        cJSON_AddItemToObject(state, "pk", cJSON_DetachItemFromArray(one, 0));
        cJSON_Delete(one);
    }
    add_keys(state, "keks", spec->keks, spec->kek_count);
    add_keys(state, "dbs", spec->dbs, spec->db_count);
    add_keys(state, "dbxs", spec->dbxs, spec->dbx_count);
}

static void add_lists(cJSON *root, const struct image_spec *spec)
{
    if (spec->feature_count > 0) {
        cJSON *features = cJSON_AddArrayToObject(root, "guestOsFeatures");
        for (size_t i = 0; i < spec->feature_count; i++) {
            cJSON *feature = cJSON_CreateObject();
            cJSON_AddStringToObject(feature, "type", spec->features[i]);
            cJSON_AddItemToArray(features, feature);
        }
    }
    if (spec->license_count > 0)
        cJSON_AddItemToObject(root, "licenses",
                              cJSON_CreateStringArray(spec->licenses, (int)spec->license_count));
    if (spec->label_count > 0) {
        cJSON *labels = cJSON_AddObjectToObject(root, "labels");
        for (size_t i = 0; i < spec->label_count; i++)
            cJSON_AddStringToObject(labels, spec->labels[i].key, spec->labels[i].value);
    }
    if (spec->storage_location)
        cJSON_AddItemToObject(root, "storageLocations", cJSON_CreateStringArray(&spec->storage_location, 1));
}

int images_insert_body(const struct image_spec *spec, struct buf *ret, struct err *err)
{
    cJSON *root = cJSON_CreateObject();
    add(root, "name", spec->name);
    add(root, "family", spec->family);
    add(root, "description", spec->description);
    add(root, "architecture", spec->architecture);
    add(root, "sourceType", "RAW");
    add_lists(root, spec);
    cJSON *disk = cJSON_AddObjectToObject(root, "rawDisk");
    add(disk, "source", spec->source);
    add(disk, "containerType", "TAR");
    add(disk, "sha1Checksum", spec->sha1_hex);
    if (spec->kms_key)
        add(cJSON_AddObjectToObject(root, "imageEncryptionKey"), "kmsKeyName", spec->kms_key);
    add_shielded(root, spec);
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    if (!text)
        return err_oom(err);
    buf_str(ret, text);
    cJSON_free(text);
    return buf_check(ret, "the image's description", err);
}

int images_request_id(const char *text, char out[static REQUEST_ID_CAP], struct err *err)
{
    /* the namespace for URLs (RFC 9562 section 6.6): the text is one in all but its scheme */
    static const uint8_t space[16] = {0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1,
                                      0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};
    cleanup_hasher struct hasher hasher = {0};
    uint8_t sum[DIGEST_MAX_SIZE];
    char hex[33];
    if (hasher_init(&hasher, DIGEST_SHA1, err) < 0 || hasher_add(&hasher, space, sizeof space, err) < 0 ||
        hasher_add(&hasher, text, strlen(text), err) < 0 || hasher_end(&hasher, sum, err) < 0)
        return -1;
    sum[6] = (uint8_t)((sum[6] & 0x0f) | 0x50);
    sum[8] = (uint8_t)((sum[8] & 0x3f) | 0x80);
    hex_encode(sum, 16, hex);
    snprintf(out, REQUEST_ID_CAP, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
    return 0;
}
