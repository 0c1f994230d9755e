#include "seal/read.h"

#include <string.h>

#include "io/crc32c.h"
#include "json/json.h"
#include "json/write.h"
#include "text/base64.h"
#include "text/hex.h"
#include "text/path.h"

enum { VERSION_MAX = 31 };

static const uint64_t exact_max = (1ULL << 53) - 1;

struct manifest_reader {
    struct json_doc *doc;
    struct arena *arena;
    struct err *err;
};

/* A string of at most PATH_CAP bytes without control characters, kept in the arena. */
static int get_text(const struct manifest_reader *r, const cJSON *object, const char *key, bool required,
                    const char **ret)
{
    const char *value = NULL;
    if (json_get_string(r->doc, object, key, required, &value, r->err) < 0)
        return -1;
    if (!value) {
        *ret = "";
        return 0;
    }
    if (strlen(value) >= PATH_CAP)
        return json_error(r->doc, object, r->err, "\"%s\" is too long", key);
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return json_error(r->doc, object, r->err, "\"%s\" contains a control character", key);
    char *copy = arena_strdup(r->arena, value);
    if (!copy)
        return err_oom(r->err);
    *ret = copy;
    return 0;
}

static int get_hex(const struct manifest_reader *r, const cJSON *object, const char *key, uint8_t *out,
                   size_t size)
{
    const char *value = NULL;
    if (json_get_string(r->doc, object, key, true, &value, r->err) < 0)
        return -1;
    if (!hex_decode(value, out, size))
        return json_error(r->doc, object, r->err, "\"%s\" must be %zu hex digits", key, 2 * size);
    return 0;
}

static int get_number(const struct manifest_reader *r, const cJSON *object, const char *key, uint64_t *ret)
{
    return json_get_uint(r->doc, object, key, true, 0, exact_max, ret, r->err);
}

/* An object with no keys but KNOWN. */
static int get_object(const struct manifest_reader *r, const cJSON *object, const char *key,
                      const char *const *known, const cJSON **ret)
{
    if (json_get_object(r->doc, object, key, true, ret, r->err) < 0 ||
        json_only(r->doc, *ret, known, r->err) < 0)
        return -1;
    return 0;
}

static int get_list(const struct manifest_reader *r, const cJSON *object, const char *key, size_t size,
                    const cJSON **ret, void **ret_items, size_t *ret_count)
{
    size_t count = 0;
    if (json_get_array(r->doc, object, key, true, ret, r->err) < 0)
        return -1;
    for (const cJSON *item = (*ret)->child; item; item = item->next)
        count++;
    *ret_items = arena_array(r->arena, count ? count : 1, size);
    if (!*ret_items)
        return err_oom(r->err);
    *ret_count = count;
    return 0;
}

/* An object with no keys but KNOWN. */
static int must_be_object(const struct manifest_reader *r, const cJSON *item, const char *const *known)
{
    if (!cJSON_IsObject(item))
        return json_error(r->doc, item, r->err, "expected an object");
    return json_only(r->doc, item, known, r->err);
}

static int read_source(const struct manifest_reader *r, const cJSON *object, struct seal_source *ret)
{
    if (get_text(r, object, "name", true, &ret->name) < 0 ||
        get_text(r, object, "url", false, &ret->url) < 0 ||
        get_text(r, object, "version", false, &ret->version) < 0 ||
        get_text(r, object, "signer", false, &ret->signer) < 0 ||
        get_number(r, object, "size", &ret->size) < 0)
        return -1;
    return get_hex(r, object, "sha256", ret->sha256.bytes, SHA256_SIZE);
}

static int read_sources(const struct manifest_reader *r, const cJSON *root, struct package *package)
{
    static const char *const base_keys[] = {"name", "os", "version", "url", "size", "sha256", "signer", NULL};
    static const char *const input_keys[] = {"name", "version", "url", "size", "sha256", "signer", NULL};
    const cJSON *base = NULL, *inputs = NULL;
    void *items = NULL;
    size_t i = 0;
    if (get_object(r, root, "base", base_keys, &base) < 0 || read_source(r, base, &package->base) < 0 ||
        get_text(r, base, "os", false, &package->os) < 0)
        return -1;
    if (get_list(r, root, "inputs", sizeof *package->inputs, &inputs, &items, &package->input_count) < 0)
        return -1;
    package->inputs = items;
    for (const cJSON *item = inputs->child; item; item = item->next)
        if (must_be_object(r, item, input_keys) < 0 || read_source(r, item, &package->inputs[i++]) < 0)
            return -1;
    return 0;
}

/* A file of the package: its name must be NAME and SUFFIX, so that a hostile manifest cannot point
 * elsewhere. */
static int read_package_file(const struct manifest_reader *r, const cJSON *object, const char *name,
                             const char *suffix, struct package_file *ret)
{
    size_t len = strlen(name);
    if (get_text(r, object, "file", true, &ret->path) < 0 || get_number(r, object, "size", &ret->size) < 0 ||
        get_hex(r, object, "sha256", ret->sha256.bytes, SHA256_SIZE) < 0)
        return -1;
    if (strncmp(ret->path, name, len) != 0 || strcmp(ret->path + len, suffix) != 0)
        return json_error(r->doc, object, r->err, "\"file\" must be \"%s%s\"", name, suffix);
    return 0;
}

static int read_documents(const struct manifest_reader *r, const cJSON *root, struct package *package)
{
    static const char *const keys[] = {"file", "size", "sha256", NULL};
    const cJSON *provenance = NULL, *spdx = NULL;
    if (get_object(r, root, "provenance", keys, &provenance) < 0 ||
        get_object(r, root, "spdx", keys, &spdx) < 0 ||
        read_package_file(r, provenance, package->name, ".provenance.json", &package->provenance) < 0)
        return -1;
    return read_package_file(r, spdx, package->name, ".spdx.json", &package->spdx);
}

static int read_files(const struct manifest_reader *r, const cJSON *root, struct package *package)
{
    static const char *const keys[] = {"path", "size", "sha256", NULL};
    const cJSON *files = NULL;
    void *items = NULL;
    size_t i = 0;
    if (get_list(r, root, "files", sizeof *package->files, &files, &items, &package->file_count) < 0)
        return -1;
    package->files = items;
    for (const cJSON *item = files->child; item; item = item->next, i++) {
        struct package_file *file = &package->files[i];
        char normal[PATH_CAP];
        if (must_be_object(r, item, keys) < 0 || get_text(r, item, "path", true, &file->path) < 0 ||
            get_number(r, item, "size", &file->size) < 0 ||
            get_hex(r, item, "sha256", file->sha256.bytes, SHA256_SIZE) < 0)
            return -1;
        if (path_normalize(file->path, normal, r->err) < 0 || strcmp(normal, file->path) != 0)
            return json_error(r->doc, item, r->err, "\"path\" must be an absolute path in normal form");
        if (i > 0 && strcmp(package->files[i - 1].path, file->path) >= 0)
            return json_error(r->doc, item, r->err, "\"files\" must be sorted by path, each path once");
    }
    return 0;
}

/* [raw_off, raw_len, packed_off, packed_len, "sha256", "crc32c"] */
static int read_segment(const struct manifest_reader *r, const cJSON *item, uint64_t disk_size,
                        struct segment *ret)
{
    uint64_t number[4];
    const cJSON *at = cJSON_IsArray(item) ? item->child : NULL;
    for (unsigned i = 0; i < 4; i++, at = at->next) {
        if (!at || !cJSON_IsNumber(at) || at->valuedouble < 0 || at->valuedouble > (double)exact_max ||
            (double)(uint64_t)at->valuedouble != at->valuedouble)
            return json_error(r->doc, item, r->err, "a segment must be four numbers, a digest and a CRC-32C");
        number[i] = (uint64_t)at->valuedouble;
    }
    const cJSON *crc = at ? at->next : NULL;
    if (!crc || !cJSON_IsString(at) || !cJSON_IsString(crc) || crc->next ||
        !hex_decode(at->valuestring, ret->packed_sha256.bytes, SHA256_SIZE) ||
        !crc32c_read(crc->valuestring, &ret->packed_crc32c))
        return json_error(r->doc, item, r->err, "a segment must be four numbers, a digest and a CRC-32C");
    if (number[0] > disk_size || number[1] > disk_size - number[0])
        return json_error(r->doc, item, r->err, "a segment lies outside the disk");
    ret->raw_off = number[0];
    ret->raw_len = number[1];
    ret->packed_off = number[2];
    ret->packed_len = number[3];
    return 0;
}

/* The archive is the segments in order, so the offsets follow from the lengths. */
static int read_segments(const struct manifest_reader *r, const cJSON *root, struct packed *packed)
{
    const cJSON *list = NULL;
    void *items = NULL;
    size_t i = 0;
    uint64_t end = 0;
    if (get_list(r, root, "segments", sizeof *packed->segments, &list, &items, &packed->segment_count) < 0)
        return -1;
    packed->segments = items;
    for (const cJSON *item = list->child; item; item = item->next, i++) {
        struct segment *segment = &packed->segments[i];
        if (read_segment(r, item, packed->disk_size, segment) < 0)
            return -1;
        if (segment->packed_off != end || segment->packed_len > packed->archive_size - end)
            return json_error(r->doc, item, r->err, "this segment does not follow the one before it");
        end += segment->packed_len;
    }
    if (end != packed->archive_size)
        return json_error(r->doc, list, r->err, "the segments do not add up to the archive");
    return 0;
}

static int read_packed(const struct manifest_reader *r, const cJSON *root, struct package *package)
{
    static const char *const disk_keys[] = {"file", "size", "tree", NULL};
    static const char *const archive_keys[] = {"file", "size", "sha256", "crc32c", NULL};
    struct packed *packed = &package->packed;
    const cJSON *disk = NULL, *archive = NULL;
    const char *crc = NULL, *file = NULL;
    if (get_object(r, root, "disk", disk_keys, &disk) < 0 || get_text(r, disk, "file", true, &file) < 0 ||
        get_number(r, disk, "size", &packed->disk_size) < 0 ||
        get_hex(r, disk, "tree", packed->disk_tree.bytes, SHA256_SIZE) < 0)
        return -1;
    if (strcmp(file, "disk.raw") != 0)
        return json_error(r->doc, disk, r->err, "\"file\" must be \"disk.raw\"");
    if (get_object(r, root, "archive", archive_keys, &archive) < 0 ||
        read_package_file(r, archive, package->name, ".tar.gz", &package->archive) < 0 ||
        json_get_string(r->doc, archive, "crc32c", true, &crc, r->err) < 0)
        return -1;
    if (!crc32c_read(crc, &packed->archive_crc32c))
        return json_error(r->doc, archive, r->err, "\"crc32c\" must be base64 of four bytes");
    packed->archive_size = package->archive.size;
    packed->archive_sha256 = package->archive.sha256;
    return read_segments(r, root, packed);
}

/* "1.36.3"; "" when it is not there. */
static int get_version(const struct manifest_reader *r, const cJSON *object, const char *key,
                       const char **ret)
{
    if (get_text(r, object, key, false, ret) < 0)
        return -1;
    size_t len = strlen(*ret);
    if (len > VERSION_MAX || strspn(*ret, "0123456789.") != len)
        return json_error(r->doc, object, r->err, "\"%s\" must be a version such as 1.36.3", key);
    return 0;
}

static int read_kubernetes(const struct manifest_reader *r, const cJSON *root, struct package *package)
{
    static const char *const keys[] = {"version", "etcd", "containerd", NULL};
    struct seal_kubernetes *to = &package->kubernetes;
    const cJSON *object = NULL;
    *to = (struct seal_kubernetes){"", "", ""};
    if (json_get_object(r->doc, root, "kubernetes", false, &object, r->err) < 0)
        return -1;
    if (!object)
        return 0;
    if (json_only(r->doc, object, keys, r->err) < 0 || get_version(r, object, "version", &to->version) < 0 ||
        get_version(r, object, "etcd", &to->etcd) < 0)
        return -1;
    return get_version(r, object, "containerd", &to->containerd);
}

static int read_image(const struct manifest_reader *r, const cJSON *root, struct package *package)
{
    const cJSON *image = NULL;
    if (json_get_object(r->doc, root, "image", true, &image, r->err) < 0)
        return -1;
    cleanup_buf struct buf text = BUF_INIT(JSON_TEXT_MAX);
    struct json_writer json = {.buf = &text};
    json_node(&json, NULL, image);
    if (json_write_end(&json, "the image part", r->err) < 0)
        return -1;
    package->image = arena_strdup(r->arena, text.data);
    return package->image ? 0 : err_oom(r->err);
}

static int read_head(const struct manifest_reader *r, const cJSON *root, struct package *package)
{
    static const char *const keys[] = {"format", "name",       "bake",     "created", "recipe",     "base",
                                       "inputs", "kubernetes", "image",    "files",   "provenance", "spdx",
                                       "disk",   "archive",    "segments", NULL};
    static const char *const recipe_keys[] = {"name", "sha256", "lock", "plan", NULL};
    const cJSON *recipe = NULL;
    uint64_t format = 0, created = 0;
    if (!cJSON_IsObject(root))
        return json_error(r->doc, root, r->err, "expected an object");
    if (get_number(r, root, "format", &format) < 0)
        return -1;
    if (format != PACKAGE_FORMAT)
        return json_error(
            r->doc, root, r->err,
            "this bake does not support format %llu, only %d: was the package made by a newer one?",
            (unsigned long long)format, PACKAGE_FORMAT);
    if (json_only(r->doc, root, keys, r->err) < 0 || get_text(r, root, "name", true, &package->name) < 0 ||
        get_text(r, root, "bake", true, &package->bake_version) < 0 ||
        get_number(r, root, "created", &created) < 0 ||
        get_object(r, root, "recipe", recipe_keys, &recipe) < 0 ||
        get_text(r, recipe, "name", true, &package->recipe) < 0 ||
        get_hex(r, recipe, "sha256", package->recipe_sha256.bytes, SHA256_SIZE) < 0 ||
        get_hex(r, recipe, "lock", package->lock_sha256.bytes, SHA256_SIZE) < 0 ||
        get_hex(r, recipe, "plan", package->plan_digest.bytes, SHA256_SIZE) < 0)
        return -1;
    if (!path_name_ok(package->name) || package->name[0] == '.')
        return json_error(r->doc, root, r->err, "\"name\" cannot be the name of a package");
    package->epoch = (int64_t)created;
    return 0;
}

int package_read(const char *text, size_t len, const char *name, struct package *ret, struct err *err)
{
    cleanup_json struct json_doc *doc = NULL;
    cleanup_package struct package made = {.arena = {.max = 4 * (size_t)MANIFEST_MAX}};
    if (len > MANIFEST_MAX)
        return err_set(err, ERR_VERIFY, 0, "%s is larger than a manifest can be (%d bytes)", name,
                       MANIFEST_MAX);
    if (json_parse(text, len, name, JSON_STRICT, ERR_VERIFY, &doc, err) < 0)
        return -1;
    const struct manifest_reader reader = {doc, &made.arena, err};
    const cJSON *root = json_root(doc);
    if (read_head(&reader, root, &made) < 0 || read_sources(&reader, root, &made) < 0 ||
        read_kubernetes(&reader, root, &made) < 0 || read_image(&reader, root, &made) < 0 ||
        read_documents(&reader, root, &made) < 0 || read_files(&reader, root, &made) < 0 ||
        read_packed(&reader, root, &made) < 0)
        return -1;
    *ret = made;
    made = (struct package){0};
    return 0;
}

void package_free(struct package *package)
{
    arena_free(&package->arena);
    *package = (struct package){0};
}
