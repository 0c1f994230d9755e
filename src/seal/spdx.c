/* SPDX 2.3 in JSON (https://spdx.github.io/spdx-spec/v2.3/): the image, the base and inputs it was generated
 * from, and the files it contains. */
#include "seal/documents.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cache/note.h"
#include "json/write.h"
#include "text/hex.h"
#include "text/path.h"

/* The JSON schema spells it with '_'; clause 7.24 has '-' for the tag/value form. */
#define PURPOSE_OS "OPERATING_SYSTEM"

enum { CHUNK = 1 << 20, SHA1_SIZE = 20, SHA1_HEX = 2 * SHA1_SIZE, ID_CAP = 48 };

struct spdx_file {
    const struct plan_op *op;
    char sha1[SHA1_HEX + 1]; /* required of every file by clause 8.4 */
};

static int blob_sha1(const struct blob *blob, const char *path, unsigned char *chunk,
                     char out[static SHA1_HEX + 1], struct err *err)
{
    uint8_t sum[SHA1_SIZE];
    cleanup_hasher struct hasher hasher = {0};
    if (hasher_init(&hasher, DIGEST_SHA1, err) < 0)
        return -1;
    for (uint64_t at = 0; at < blob->size;) {
        size_t step = blob->size - at < CHUNK ? (size_t)(blob->size - at) : (size_t)CHUNK;
        if (blob_read(blob, chunk, step, at, err) < 0)
            return err_wrap(err, "%s", path);
        if (hasher_add(&hasher, chunk, step, err) < 0)
            return -1;
        at += step;
    }
    if (hasher_end(&hasher, sum, err) < 0)
        return -1;
    hex_encode(sum, sizeof sum, out);
    return 0;
}

/* Only SPDX needs SHA-1, so that of large content is cached by its SHA-256. */
static int content_sha1(struct cache *cache, const struct plan_op *op, unsigned char *chunk,
                        char out[static SHA1_HEX + 1], struct err *err)
{
    static const char kind[] = "sha1", magic[] = "bake-sha1 1";
    const struct note_field field = {"sha1", out, SHA1_HEX + 1};
    char key[SHA256_HEX];
    uint8_t sum[SHA1_SIZE];
    struct err ignored = {0};
    bool large = cache && op->content.size > CHUNK;
    hex_encode(op->content.sha256.bytes, SHA256_SIZE, key);
    if (large && !cache_rechecks(cache) && cache_note_get(cache, kind, key, magic, &field, 1, NULL) &&
        hex_decode(out, sum, sizeof sum))
        return 0;
    if (blob_sha1(&op->content, op->image_path, chunk, out, err) < 0)
        return -1;
    if (large)
        (void)!cache_note_put(cache, kind, key, magic, &field, 1, NULL, &ignored);
    return 0;
}

static int by_path(const void *a, const void *b)
{
    const struct spdx_file *x = a, *y = b;
    return strcmp(x->op->image_path, y->op->image_path);
}

static int by_sha1(const void *a, const void *b)
{
    return memcmp(a, b, SHA1_HEX);
}

static int collect_files(const struct plan *plan, struct cache *cache, struct spdx_file **ret,
                         size_t *ret_count, struct err *err)
{
    cleanup_free struct spdx_file *files = calloc(plan->op_count + 1, sizeof *files);
    cleanup_free unsigned char *chunk = malloc(CHUNK);
    size_t count = 0;
    if (!files || !chunk)
        return err_oom(err);
    for (size_t i = 0; i < plan->op_count; i++) {
        const struct plan_op *op = &plan->ops[i];
        if (op->kind != PLAN_FILE)
            continue;
        if (content_sha1(cache, op, chunk, files[count].sha1, err) < 0)
            return -1;
        files[count++].op = op;
    }
    qsort(files, count, sizeof *files, by_path);
    *ret = steal_ptr(files);
    *ret_count = count;
    return 0;
}

/* Clause 7.9: SHA-1 over the files' SHA-1 digests in hex, sorted, without separators. */
static int verification_code(const struct spdx_file *files, size_t count, char out[static SHA1_HEX + 1],
                             struct err *err)
{
    cleanup_free char *sorted = calloc(count + 1, SHA1_HEX);
    struct blob blob = {.memory = sorted, .fd = -1, .size = (uint64_t)count * SHA1_HEX};
    cleanup_free unsigned char *chunk = malloc(CHUNK);
    if (!sorted || !chunk)
        return err_oom(err);
    for (size_t i = 0; i < count; i++)
        memcpy(sorted + i * SHA1_HEX, files[i].sha1, SHA1_HEX);
    qsort(sorted, count, SHA1_HEX, by_sha1);
    return blob_sha1(&blob, "verification code", chunk, out, err);
}

static void add_checksum(struct json_writer *json, const char *algorithm, const char *hex)
{
    json_open_flat(json, NULL, '{');
    json_string(json, "algorithm", algorithm);
    json_string(json, "checksumValue", hex);
    json_close(json, '}');
}

static void add_sha256(struct json_writer *json, const struct sha256 *digest)
{
    char hex[SHA256_HEX];
    hex_encode(digest->bytes, sizeof digest->bytes, hex);
    add_checksum(json, "SHA256", hex);
}

static void add_licences(struct json_writer *json)
{
    json_string(json, "licenseConcluded", "NOASSERTION");
    json_string(json, "licenseDeclared", "NOASSERTION");
    json_string(json, "copyrightText", "NOASSERTION");
}

static void add_source(struct json_writer *json, const char *id, const struct seal_source *source,
                       const char *purpose)
{
    json_open(json, NULL, '{');
    json_string(json, "SPDXID", id);
    json_string(json, "name", source->name);
    json_string_if(json, "versionInfo", source->version);
    json_string(json, "downloadLocation", source->url && *source->url ? source->url : "NOASSERTION");
    json_raw(json, "filesAnalyzed", "false");
    json_open(json, "checksums", '[');
    add_sha256(json, &source->sha256);
    json_close(json, ']');
    json_string_if(json, "primaryPackagePurpose", purpose);
    add_licences(json);
    json_close(json, '}');
}

static void add_image(struct json_writer *json, const struct seal_input *input, const char *code,
                      size_t files)
{
    char archive[NAME_CAP + 16];
    snprintf(archive, sizeof archive, "%s.tar.gz", input->name);
    json_open(json, NULL, '{');
    json_string(json, "SPDXID", "SPDXRef-Image");
    json_string(json, "name", input->name);
    json_string(json, "packageFileName", archive);
    json_string(json, "downloadLocation", "NOASSERTION");
    json_raw(json, "filesAnalyzed", files > 0 ? "true" : "false");
    if (files > 0) {
        json_open_flat(json, "packageVerificationCode", '{');
        json_string(json, "packageVerificationCodeValue", code);
        json_close(json, '}');
    }
    json_open(json, "checksums", '[');
    add_sha256(json, &input->packed->archive_sha256);
    json_close(json, ']');
    json_string(json, "primaryPackagePurpose", PURPOSE_OS);
    add_licences(json);
    json_close(json, '}');
}

static void add_packages(struct json_writer *json, const struct seal_input *input, const char *code,
                         size_t files)
{
    char id[ID_CAP];
    json_open(json, "packages", '[');
    add_image(json, input, code, files);
    add_source(json, "SPDXRef-Base", &input->base, PURPOSE_OS);
    for (size_t i = 0; i < input->input_count; i++) {
        snprintf(id, sizeof id, "SPDXRef-Input-%zu", i + 1);
        add_source(json, id, &input->inputs[i], NULL);
    }
    json_close(json, ']');
}

static void add_files(struct json_writer *json, const struct spdx_file *files, size_t count)
{
    char id[ID_CAP];
    json_open(json, "files", '[');
    for (size_t i = 0; i < count; i++) {
        char name[PATH_CAP + 1];
        snprintf(id, sizeof id, "SPDXRef-File-%zu", i + 1);
        snprintf(name, sizeof name, ".%s", files[i].op->image_path);
        json_open(json, NULL, '{');
        json_string(json, "SPDXID", id);
        json_string(json, "fileName", name);
        json_open(json, "checksums", '[');
        add_checksum(json, "SHA1", files[i].sha1);
        add_sha256(json, &files[i].op->content.sha256);
        json_close(json, ']');
        json_string(json, "licenseConcluded", "NOASSERTION");
        json_string(json, "copyrightText", "NOASSERTION");
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void add_relationship(struct json_writer *json, const char *from, const char *type, const char *to)
{
    json_open_flat(json, NULL, '{');
    json_string(json, "spdxElementId", from);
    json_string(json, "relationshipType", type);
    json_string(json, "relatedSpdxElement", to);
    json_close(json, '}');
}

static void add_relationships(struct json_writer *json, size_t inputs, size_t files)
{
    char id[ID_CAP];
    json_open(json, "relationships", '[');
    add_relationship(json, "SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Image");
    add_relationship(json, "SPDXRef-Image", "GENERATED_FROM", "SPDXRef-Base");
    for (size_t i = 0; i < inputs; i++) {
        snprintf(id, sizeof id, "SPDXRef-Input-%zu", i + 1);
        add_relationship(json, "SPDXRef-Image", "GENERATED_FROM", id);
    }
    for (size_t i = 0; i < files; i++) {
        snprintf(id, sizeof id, "SPDXRef-File-%zu", i + 1);
        add_relationship(json, "SPDXRef-Image", "CONTAINS", id);
    }
    json_close(json, ']');
}

/* A unique URI (clause 6.5), the same for the same archive: the name, percent-encoded, and the archive's
 * digest. */
static void add_namespace(struct json_writer *json, const struct seal_input *input)
{
    char uri[3 * NAME_CAP + 128] = "https://spdx.org/spdxdocs/", digest[SHA256_HEX];
    size_t at = strlen(uri);
    for (const char *c = input->name; *c && at < (size_t)3 * NAME_CAP; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                     strchr("-._~", *c);
        at += (size_t)snprintf(uri + at, sizeof uri - at, plain ? "%c" : "%%%02X", (unsigned char)*c);
    }
    hex_encode(input->packed->archive_sha256.bytes, SHA256_SIZE, digest);
    snprintf(uri + at, sizeof uri - at, "-%s", digest);
    json_string(json, "documentNamespace", uri);
}

int document_spdx(const struct seal_input *input, struct buf *ret, struct err *err)
{
    cleanup_free struct spdx_file *files = NULL;
    size_t count = 0;
    char code[SHA1_HEX + 1], created[32], creator[96];
    struct tm tm;
    time_t epoch = (time_t)input->epoch;
    if (collect_files(input->plan, input->cache, &files, &count, err) < 0 ||
        verification_code(files, count, code, err) < 0)
        return -1;
    if (!gmtime_r(&epoch, &tm) || strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &tm) != 20)
        return err_set(err, ERR_INTERNAL, 0, "the time %lld is not in the years 1970 to 9999",
                       (long long)input->epoch);
    snprintf(creator, sizeof creator, "Tool: bake-%.64s", input->bake_version);
    struct json_writer json = {.buf = ret, .flat_from = UINT32_MAX};
    json_open(&json, NULL, '{');
    json_string(&json, "spdxVersion", "SPDX-2.3");
    json_string(&json, "dataLicense", "CC0-1.0");
    json_string(&json, "SPDXID", "SPDXRef-DOCUMENT");
    json_string(&json, "name", input->name);
    add_namespace(&json, input);
    json_open(&json, "creationInfo", '{');
    json_string(&json, "created", created);
    json_open_flat(&json, "creators", '[');
    json_string(&json, NULL, creator);
    json_close(&json, ']');
    json_close(&json, '}');
    add_packages(&json, input, code, count);
    add_files(&json, files, count);
    add_relationships(&json, input->input_count, count);
    json_close(&json, '}');
    return json_write_end(&json, "the SPDX document", err);
}
