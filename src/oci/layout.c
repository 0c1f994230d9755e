#include "oci/layout.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "oci/tar.h"
#include "text/hex.h"

#define MEDIA "application/vnd.oci.image."
#define BLOBS "blobs/sha256"

enum { JSON_MAX = 4096 };

/* Content, with the digest that refers to it. */
struct oci_blob {
    const void *bytes;
    size_t size;
    char sha256[SHA256_HEX];
};

static int make_blob(const void *bytes, size_t size, struct oci_blob *ret, struct err *err)
{
    struct sha256 sha256;
    if (sha256_of(bytes, size, &sha256, err) < 0)
        return -1;
    *ret = (struct oci_blob){.bytes = bytes, .size = size};
    hex_encode(sha256.bytes, SHA256_SIZE, ret->sha256);
    return 0;
}

static void put_descriptor(struct buf *out, const char *media, const struct oci_blob *blob)
{
    buf_printf(out, "{\"mediaType\":\"" MEDIA "%s\",\"digest\":\"sha256:%s\",\"size\":%zu", media,
               blob->sha256, blob->size);
}

/* The time is fixed, so that the image and its ID are the same in every build. */
static void put_config(struct buf *out, const struct oci_image *image, const struct oci_blob *layer)
{
    buf_printf(out,
               "{\"created\":\"1970-01-01T00:00:00Z\",\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{"
               "\"Env\":[\"PATH=%s\"],\"Entrypoint\":[\"%s\"],\"WorkingDir\":\"/\"},\"rootfs\":{\"type\":"
               "\"layers\",\"diff_ids\":[\"sha256:%s\"]},\"history\":[{\"created\":\"1970-01-01T00:00:00Z\","
               "\"created_by\":\"bake\"}]}",
               image->architecture, image->path, image->entrypoint, layer->sha256);
}

static void put_manifest(struct buf *out, const struct oci_blob *config, const struct oci_blob *layer)
{
    buf_str(out, "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA "manifest.v1+json\",\"config\":");
    put_descriptor(out, "config.v1+json", config);
    buf_str(out, "},\"layers\":[");
    put_descriptor(out, "layer.v1.tar", layer);
    buf_str(out, "}]}");
}

/* containerd takes the full name from its own annotation; ref.name is the specification's. */
static void put_index(struct buf *out, const struct oci_image *image, const struct oci_blob *manifest)
{
    buf_str(out, "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA "index.v1+json\",\"manifests\":[");
    put_descriptor(out, "manifest.v1+json", manifest);
    buf_printf(out,
               ",\"platform\":{\"architecture\":\"%s\",\"os\":\"linux\"},\"annotations\":{"
               "\"io.containerd.image.name\":\"%s\",\"org.opencontainers.image.ref.name\":\"%s\"}}]}",
               image->architecture, image->name, image->name);
}

static int add_file(struct tar *tar, const char *name, const void *bytes, size_t size, struct err *err)
{
    return tar_add(
        tar, &(struct tar_entry){.name = name, .mode = S_IFREG | 0644, .bytes = bytes, .size = size}, err);
}

static int add_blob(struct tar *tar, const struct oci_blob *blob, struct err *err)
{
    char name[sizeof BLOBS + SHA256_HEX];
    snprintf(name, sizeof name, BLOBS "/%s", blob->sha256);
    return add_file(tar, name, blob->bytes, blob->size, err);
}

static int add_all(struct tar *tar, const struct buf *index, const struct oci_blob blobs[3], struct err *err)
{
    static const char version[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    const struct tar_entry dirs[] = {{.name = "blobs", .mode = S_IFDIR | 0755},
                                     {.name = BLOBS, .mode = S_IFDIR | 0755}};
    if (add_file(tar, "oci-layout", version, sizeof version - 1, err) < 0 ||
        add_file(tar, "index.json", index->data, index->len, err) < 0 || tar_add(tar, &dirs[0], err) < 0 ||
        tar_add(tar, &dirs[1], err) < 0)
        return -1;
    for (size_t i = 0; i < 3; i++)
        if (add_blob(tar, &blobs[i], err) < 0)
            return -1;
    return 0;
}

int oci_layout(const struct oci_image *image, struct buf *ret, struct err *err)
{
    cleanup_buf struct buf config = BUF_INIT(JSON_MAX), manifest = BUF_INIT(JSON_MAX),
                           index = BUF_INIT(JSON_MAX);
    enum { MANIFEST, CONFIG, LAYER, BLOB_COUNT };
    struct oci_blob blobs[BLOB_COUNT];
    if (make_blob(image->layer, image->layer_size, &blobs[LAYER], err) < 0)
        return -1;
    put_config(&config, image, &blobs[LAYER]);
    if (buf_check(&config, "image configuration", err) < 0 ||
        make_blob(config.data, config.len, &blobs[CONFIG], err) < 0)
        return -1;
    put_manifest(&manifest, &blobs[CONFIG], &blobs[LAYER]);
    if (buf_check(&manifest, "image manifest", err) < 0 ||
        make_blob(manifest.data, manifest.len, &blobs[MANIFEST], err) < 0)
        return -1;
    put_index(&index, image, &blobs[MANIFEST]);
    if (buf_check(&index, "image index", err) < 0)
        return -1;
    cleanup_tar struct tar tar = {0};
    if (tar_begin(&tar, err) < 0 || add_all(&tar, &index, blobs, err) < 0)
        return -1;
    return tar_end(&tar, ret, err);
}
