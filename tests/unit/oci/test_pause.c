/* The pause image, read back with libarchive and cJSON: names, links, digests, and the same bytes again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>

#include "base/digest.h"
#include "json/json.h"
#include "oci/pause.h"
#include "oci/tar.h"
#include "text/hex.h"

enum { FILES_MAX = 32, FILE_MAX = 64 << 10 };

struct file {
    char name[128], target[32];
    mode_t mode;
    size_t size;
    char *bytes;
};

struct files {
    struct file items[FILES_MAX];
    size_t count;
};

static void files_free(struct files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->items[i].bytes);
}
#define cleanup_files cleanup(files_free)

/* Everything in a tar, which must be the machine's and the time's in nothing. */
static void list(const void *bytes, size_t size, struct files *ret)
{
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    *ret = (struct files){0};
    assert_int_equal(archive_read_support_format_tar(archive), ARCHIVE_OK);
    assert_int_equal(archive_read_open_memory(archive, bytes, size), ARCHIVE_OK);
    while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
        assert_true(ret->count < FILES_MAX);
        struct file *file = &ret->items[ret->count++];
        const char *target = archive_entry_symlink(entry);
        snprintf(file->name, sizeof file->name, "%s", archive_entry_pathname(entry));
        snprintf(file->target, sizeof file->target, "%s", target ? target : "");
        file->mode = archive_entry_mode(entry);
        file->size = (size_t)archive_entry_size(entry);
        assert_true(file->size < FILE_MAX);
        file->bytes = calloc(1, file->size + 1);
        assert_non_null(file->bytes);
        assert_int_equal(archive_read_data(archive, file->bytes, file->size), file->size);
        assert_int_equal(archive_entry_mtime(entry), 0);
        assert_int_equal(archive_entry_uid(entry), 0);
        assert_int_equal(archive_entry_gid(entry), 0);
        const char *uname = archive_entry_uname(entry);
        assert_true(!uname || !*uname);
    }
    assert_int_equal(archive_read_free(archive), ARCHIVE_OK);
}

static const struct file *find(const struct files *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->items[i].name, name) == 0)
            return &files->items[i];
    fail_msg("no %s in the archive", name);
    static const struct file none = {.bytes = NULL};
    return &none;
}

static struct json_doc *json_of(const struct file *file)
{
    struct err err = {0};
    struct json_doc *doc = NULL;
    if (json_parse(file->bytes, file->size, file->name, JSON_STRICT, ERR_INTERNAL, &doc, &err) < 0)
        fail_msg("%s", err.text);
    return doc;
}

static const cJSON *key(const cJSON *object, const char *name)
{
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!node)
        fail_msg("no \"%s\"", name);
    return node;
}

/* The blob that a descriptor names, which must be of its size and digest. */
static const struct file *blob(const struct files *files, const cJSON *descriptor, const char *media)
{
    char name[128], hex[SHA256_HEX];
    struct sha256 sum;
    struct err err = {0};
    const char *digest = key(descriptor, "digest")->valuestring;
    assert_string_equal(key(descriptor, "mediaType")->valuestring, media);
    assert_memory_equal(digest, "sha256:", 7);
    snprintf(name, sizeof name, "blobs/sha256/%s", digest + 7);
    const struct file *file = find(files, name);
    assert_int_equal(file->size, key(descriptor, "size")->valueint);
    assert_int_equal(sha256_of(file->bytes, file->size, &sum, &err), 0);
    hex_encode(sum.bytes, SHA256_SIZE, hex);
    assert_string_equal(hex, digest + 7);
    return file;
}

static void make(struct buf *ret)
{
    struct err err = {0};
    if (oci_pause("program", 7, ret, &err) < 0)
        fail_msg("%s", err.text);
}

static void every_digest_holds(void **state)
{
    (void)state;
    cleanup_buf struct buf image = BUF_INIT(1 << 20);
    cleanup_files struct files files = {0};
    make(&image);
    list(image.data, image.len, &files);
    assert_string_equal(find(&files, "oci-layout")->bytes, "{\"imageLayoutVersion\":\"1.0.0\"}");
    cleanup_json struct json_doc *index = json_of(find(&files, "index.json"));
    const cJSON *descriptor = cJSON_GetArrayItem(key(json_root(index), "manifests"), 0);
    const cJSON *notes = key(descriptor, "annotations");
    assert_string_equal(key(notes, "io.containerd.image.name")->valuestring, "bake.local/pause:1");
    assert_string_equal(key(notes, "org.opencontainers.image.ref.name")->valuestring, "bake.local/pause:1");
    cleanup_json struct json_doc *manifest =
        json_of(blob(&files, descriptor, "application/vnd.oci.image.manifest.v1+json"));
    cleanup_json struct json_doc *config =
        json_of(blob(&files, key(json_root(manifest), "config"), "application/vnd.oci.image.config.v1+json"));
    const cJSON *layer = cJSON_GetArrayItem(key(json_root(manifest), "layers"), 0);
    blob(&files, layer, "application/vnd.oci.image.layer.v1.tar");
    const cJSON *diff_id = cJSON_GetArrayItem(key(key(json_root(config), "rootfs"), "diff_ids"), 0);
    assert_string_equal(diff_id->valuestring, key(layer, "digest")->valuestring);
    const cJSON *entry = cJSON_GetArrayItem(key(key(json_root(config), "config"), "Entrypoint"), 0);
    assert_string_equal(entry->valuestring, "/pause");
}

static void the_layer_has_what_static_pods_mount_over(void **state)
{
    static const char *const names[] = {
        "bin 120777 usr/bin",     "dev/ 40755 ", "etc/ 40755 ",     "lib 120777 usr/lib",
        "lib64 120777 usr/lib64", "opt/ 40755 ", "opt/bin/ 40755 ", "proc/ 40555 ",
        "sbin 120777 usr/sbin",   "sys/ 40555 ", "tmp/ 41777 ",     "usr/ 40755 ",
        "pause 100755 "};
    (void)state;
    cleanup_buf struct buf image = BUF_INIT(1 << 20);
    cleanup_files struct files files = {0}, layer = {0};
    make(&image);
    list(image.data, image.len, &files);
    /* the one blob that is not JSON */
    for (size_t i = 0; i < files.count; i++)
        if (strncmp(files.items[i].name, "blobs/sha256/", 13) == 0 && files.items[i].size > 0 &&
            files.items[i].bytes[0] != '{')
            list(files.items[i].bytes, files.items[i].size, &layer);
    assert_int_equal(layer.count, sizeof names / sizeof *names);
    for (size_t i = 0; i < layer.count; i++) {
        char line[256];
        snprintf(line, sizeof line, "%s %o %s", layer.items[i].name, (unsigned)layer.items[i].mode,
                 layer.items[i].target);
        assert_string_equal(line, names[i]);
    }
    assert_string_equal(find(&layer, "pause")->bytes, "program");
}

/* A change of it makes every node's image id change, and must be meant. */
static void the_bytes_are_pinned(void **state)
{
    (void)state;
    cleanup_buf struct buf image = BUF_INIT(1 << 20);
    struct sha256 sum;
    struct err err = {0};
    char hex[SHA256_HEX];
    make(&image);
    assert_int_equal(sha256_of(image.data, image.len, &sum, &err), 0);
    hex_encode(sum.bytes, SHA256_SIZE, hex);
#if defined(__x86_64__)
    assert_string_equal(hex, "09a179b626c4145bfbfcfaa441a8f5dc566fe4585660057d982a7cec908694e6");
#endif
}

static void what_does_not_fit_is_an_error(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_buf struct buf small = BUF_INIT(100);
    assert_int_equal(oci_pause("program", 7, &small, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    cleanup_buf struct buf image = BUF_INIT(64 << 20);
    cleanup_free char *large = calloc(1, 5 << 20);
    assert_non_null(large);
    assert_int_equal(oci_pause(large, 5 << 20, &image, &err), -1);
    char name[400];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    cleanup_tar struct tar tar = {0};
    assert_int_equal(tar_begin(&tar, &err), 0);
    assert_int_equal(tar_add(&tar, &(struct tar_entry){.name = name, .mode = 0100644}, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_digest_holds),
        cmocka_unit_test(the_layer_has_what_static_pods_mount_over),
        cmocka_unit_test(the_bytes_are_pinned),
        cmocka_unit_test(what_does_not_fit_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
