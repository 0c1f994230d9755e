/* The body of images.insert, and the request ID that makes it safe to repeat. */
#include <string.h>

#include "base/digest.h"
#include "cloud/compute/images.h"
#include "text/hex.h"

static void add_key(struct json_writer *json, const char *name, const struct shielded_key *key)
{
    json_open(json, name, '{');
    json_base64(json, "content", key->bytes, key->len);
    json_string(json, "fileType", key->x509 ? "X509" : "BIN");
    json_close(json, '}');
}

static void add_keys(struct json_writer *json, const char *name, const struct shielded_key *keys,
                     size_t count)
{
    if (count == 0)
        return;
    json_open(json, name, '[');
    for (size_t i = 0; i < count; i++)
        add_key(json, NULL, &keys[i]);
    json_close(json, ']');
}

/* Left out without keys, although Google accepts an empty object. */
static void add_shielded(struct json_writer *json, const struct image_spec *spec)
{
    if (spec->pk.len == 0 && spec->kek_count + spec->db_count + spec->dbx_count == 0)
        return;
    json_open(json, "shieldedInstanceInitialState", '{');
    if (spec->pk.len > 0)
        add_key(json, "pk", &spec->pk);
    add_keys(json, "keks", spec->keks, spec->kek_count);
    add_keys(json, "dbs", spec->dbs, spec->db_count);
    add_keys(json, "dbxs", spec->dbxs, spec->dbx_count);
    json_close(json, '}');
}

void images_add_labels(struct json_writer *json, const struct label *labels, size_t count)
{
    json_open(json, "labels", '{');
    for (size_t i = 0; i < count; i++)
        json_string(json, labels[i].key, labels[i].value);
    json_close(json, '}');
}

static void add_lists(struct json_writer *json, const struct image_spec *spec)
{
    if (spec->feature_count > 0) {
        json_open(json, "guestOsFeatures", '[');
        for (size_t i = 0; i < spec->feature_count; i++) {
            json_open(json, NULL, '{');
            json_string(json, "type", spec->features[i]);
            json_close(json, '}');
        }
        json_close(json, ']');
    }
    if (spec->license_count > 0)
        json_strings(json, "licenses", spec->licenses, spec->license_count);
    if (spec->label_count > 0)
        images_add_labels(json, spec->labels, spec->label_count);
    if (spec->storage_location)
        json_strings(json, "storageLocations", &spec->storage_location, 1);
}

int images_insert_body(const struct image_spec *spec, struct buf *ret, struct err *err)
{
    struct json_writer json = {.buf = ret};
    json_open(&json, NULL, '{');
    json_string_if(&json, "name", spec->name);
    json_string_if(&json, "family", spec->family);
    json_string_if(&json, "description", spec->description);
    json_string_if(&json, "architecture", spec->architecture);
    json_string(&json, "sourceType", "RAW");
    add_lists(&json, spec);
    json_open(&json, "rawDisk", '{');
    json_string_if(&json, "source", spec->source);
    json_string(&json, "containerType", "TAR");
    json_string_if(&json, "sha1Checksum", spec->sha1_hex);
    json_close(&json, '}');
    if (spec->kms_key) {
        json_open(&json, "imageEncryptionKey", '{');
        json_string_if(&json, "kmsKeyName", spec->kms_key);
        json_close(&json, '}');
    }
    add_shielded(&json, spec);
    json_close(&json, '}');
    return json_write_end(&json, "the image's description", err);
}

int images_request_id(const char *text, char out[static REQUEST_ID_CAP], struct err *err)
{
    /* the namespace for URLs (RFC 9562 section 6.6): the text is a URL but for its scheme */
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
