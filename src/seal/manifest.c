#include "io/crc32c.h"
#include "seal/documents.h"

#include <stdio.h>
#include <string.h>

#include "json/write.h"
#include "text/path.h"

static void add_crc32c(struct json_writer *json, const char *key, uint32_t crc)
{
    char text[CRC32C_TEXT];
    crc32c_text(crc, text);
    json_string(json, key, text);
}

static void add_source(struct json_writer *json, const char *key, const struct seal_source *source,
                       const char *os)
{
    json_open(json, key, '{');
    json_string(json, "name", source->name);
    json_string_if(json, "os", os);
    json_string_if(json, "version", source->version);
    json_string_if(json, "url", source->url);
    json_uint(json, "size", source->size);
    json_sha256(json, "sha256", &source->sha256);
    json_string_if(json, "signer", source->signer);
    json_close(json, '}');
}

static void add_file(struct json_writer *json, const char *key, const char *name_key, const char *name,
                     uint64_t size, const struct sha256 *digest)
{
    json_open_flat(json, key, '{');
    json_string(json, name_key, name);
    json_uint(json, "size", size);
    json_sha256(json, "sha256", digest);
    json_close(json, '}');
}

static void add_kubernetes(struct json_writer *json, const struct seal_kubernetes *kubernetes)
{
    json_open_flat(json, "kubernetes", '{');
    json_string_if(json, "version", kubernetes->version);
    json_string_if(json, "etcd", kubernetes->etcd);
    json_string_if(json, "containerd", kubernetes->containerd);
    json_close(json, '}');
}

static void add_packed(struct json_writer *json, const struct seal_input *input)
{
    const struct packed *packed = input->packed;
    char archive[NAME_CAP + 16];
    snprintf(archive, sizeof archive, "%s.tar.gz", input->name);
    json_open_flat(json, "disk", '{');
    json_string(json, "file", "disk.raw");
    json_uint(json, "size", packed->disk_size);
    json_sha256(json, "tree", &packed->disk_tree); /* see struct packed */
    json_close(json, '}');
    json_open(json, "archive", '{');
    json_string(json, "file", archive);
    json_uint(json, "size", packed->archive_size);
    json_sha256(json, "sha256", &packed->archive_sha256);
    add_crc32c(json, "crc32c", packed->archive_crc32c);
    json_close(json, '}');
    /* each: raw_off, raw_len, packed_off, packed_len, packed_sha256, packed_crc32c */
    json_open(json, "segments", '[');
    for (size_t i = 0; i < packed->segment_count; i++) {
        const struct segment *segment = &packed->segments[i];
        json_open_flat(json, NULL, '[');
        json_uint(json, NULL, segment->raw_off);
        json_uint(json, NULL, segment->raw_len);
        json_uint(json, NULL, segment->packed_off);
        json_uint(json, NULL, segment->packed_len);
        json_sha256(json, NULL, &segment->packed_sha256);
        add_crc32c(json, NULL, segment->packed_crc32c);
        json_close(json, ']');
    }
    json_close(json, ']');
}

static int by_path(const void *a, const void *b)
{
    const struct plan_op *const *x = a, *const *y = b;
    return strcmp((*x)->image_path, (*y)->image_path);
}

static int add_embedded(struct json_writer *json, const struct plan *plan, struct err *err)
{
    cleanup_free const struct plan_op **files = calloc(plan->op_count + 1, sizeof(struct plan_op *));
    size_t count = 0;
    if (!files)
        return err_oom(err);
    for (size_t i = 0; i < plan->op_count; i++)
        if (plan->ops[i].kind == PLAN_FILE)
            files[count++] = &plan->ops[i];
    qsort(files, count, sizeof(struct plan_op *), by_path);
    json_open(json, "files", '[');
    for (size_t i = 0; i < count; i++)
        add_file(json, NULL, "path", files[i]->image_path, files[i]->content.size, &files[i]->content.sha256);
    json_close(json, ']');
    return 0;
}

int document_manifest(const struct seal_input *input, const struct document *others, size_t count,
                      struct buf *ret, struct err *err)
{
    struct json_writer json = {.buf = ret, .flat_from = UINT32_MAX};
    json_open(&json, NULL, '{');
    json_uint(&json, "format", PACKAGE_FORMAT);
    json_string(&json, "name", input->name);
    json_string(&json, "bake", input->bake_version);
    json_uint(&json, "created", (uint64_t)input->epoch);
    json_open(&json, "recipe", '{');
    json_string(&json, "name", input->recipe);
    json_sha256(&json, "sha256", &input->recipe_sha256);
    json_sha256(&json, "lock", &input->lock_sha256);
    json_sha256(&json, "plan", &input->plan->digest);
    json_close(&json, '}');
    add_source(&json, "base", &input->base, input->os);
    json_open(&json, "inputs", '[');
    for (size_t i = 0; i < input->input_count; i++)
        add_source(&json, NULL, &input->inputs[i], NULL);
    json_close(&json, ']');
    if (input->kubernetes)
        add_kubernetes(&json, input->kubernetes);
    json_raw(&json, "image", input->image ? input->image : "{}");
    for (size_t i = 0; i < count; i++) {
        struct sha256 digest;
        if (sha256_of(others[i].text->data, others[i].text->len, &digest, err) < 0)
            return -1;
        add_file(&json, others[i].key, "file", others[i].file, others[i].text->len, &digest);
    }
    if (add_embedded(&json, input->plan, err) < 0)
        return -1;
    add_packed(&json, input);
    json_close(&json, '}');
    return json_write_end(&json, "the package manifest", err);
}
