/* bake_image() of pipeline.h: from the plan to the package. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "bake/job/image_json.h"
#include "bake/job/keep.h"
#include "bake/job/pipeline.h"
#include "bake/job/up_to_date.h"
#include "bake/remote/early_upload.h"
#include "fs/fs.h"
#include "io/file.h"
#include "layout/layout.h"
#include "pack/pack.h"
#include "pack/precompress.h"
#include "payload/check.h"
#include "seal/contents.h"
#include "seal/package.h"
#include "seal/read.h"
#include "text/hex.h"

enum { PACKAGE_NAME_CAP = 80 };

/* Everything that determines the package's bytes, hashed: "is it built already?" is one look-up by name. */
static int package_name(const struct baking *baking, const struct image_options *options,
                        const struct signing_key *key, const char *image_json,
                        char out[static PACKAGE_NAME_CAP], struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    char hex[SHA256_HEX];
    buf_printf(&text, "bake %s package %d pack %d %s\n", BAKE_VERSION, PACKAGE_FORMAT, PACK_FORM,
               pack_engine(options->small));
    hex_encode(baking->plan.digest.bytes, SHA256_SIZE, hex);
    buf_printf(&text, "plan %s\n", hex);
    hex_encode(baking->inputs.base.sha256.bytes, SHA256_SIZE, hex);
    buf_printf(&text, "base %s disk %llu root %d\n", hex, (unsigned long long)baking->layout.disk_size,
               baking->grow_root);
    hex_encode(baking->inputs.recipe_sha256.bytes, SHA256_SIZE, hex);
    buf_printf(&text, "recipe %s %s\n", baking->inputs.recipe.name, hex);
    for (size_t i = 0; i < baking->inputs.lock.input_count; i++) {
        const struct lock_input *input = &baking->inputs.lock.inputs[i];
        hex_encode(input->sha256.bytes, SHA256_SIZE, hex);
        buf_printf(&text, "input %s %s %s %s %s\n", input->name, hex, input->url, input->signer,
                   input->version);
    }
    char id[MINISIGN_ID_HEX] = "unsigned", public_text[MINISIGN_PUBLIC_TEXT] = "";
    if (key) {
        minisign_id_text(key->public.id, id);
        minisign_public_text(&key->public, public_text);
    }
    buf_printf(&text, "key %s %s\nimage %s\n", id, public_text, image_json);
    struct sha256 digest;
    if (buf_check(&text, "the package's digest", err) < 0 || sha256_of(text.data, text.len, &digest, err) < 0)
        return -1;
    hex_encode(digest.bytes, SHA256_SIZE, hex);
    snprintf(out, PACKAGE_NAME_CAP, "%.60s-%.*s", baking->inputs.recipe.name, PACKAGE_DIGEST, hex);
    return 0;
}

/* Is a whole package of that name there, with this key's signature? Its manifest is written last. An unreadable or damaged one
 * is no error: it is made again. */
static bool already_there(struct common *common, const char *manifest, const struct signing_key *key)
{
    struct err why = {0};
    cleanup_package struct package package = {0};
    if (access(manifest, F_OK) < 0)
        return false;
    ui_step(&common->ui, "check", "is what is there whole?");
    if (package_open(manifest, key ? &key->public : NULL, &package, NULL, &why) == 0 &&
        package_check_archive(&package, manifest, &common->run, NULL, &why) == 0)
        return true;
    run_note(&common->run, "check", "it is made again: %s", why.text);
    return false;
}

/* The plan and bake's own three files: contents list, its signature, the public key. */
static int plan_with_lists(const struct baking *baking, const struct signing_key *key, const char *name,
                           struct buf *json, struct buf *signature, struct buf *public, struct plan *ret,
                           struct err *err)
{
    if (seal_contents(&baking->plan, name, key, json, signature, err) < 0)
        return -1;
    struct plan_extra extras[3] = {{.image_path = PLAN_CONTENTS, .mode = 0644}};
    size_t count = 1;
    if (blob_from_memory(json->data, json->len, &extras[0].blob, err) < 0)
        return -1;
    if (key) {
        minisign_write_public(&key->public, public);
        extras[1] = (struct plan_extra){.image_path = PLAN_CONTENTS_SIG, .mode = 0644};
        extras[2] = (struct plan_extra){.image_path = PLAN_PUBLIC_KEY, .mode = 0644};
        if (buf_check(public, "the public key", err) < 0 ||
            blob_from_memory(signature->data, signature->len, &extras[1].blob, err) < 0 ||
            blob_from_memory(public->data, public->len, &extras[2].blob, err) < 0)
            return -1;
        count = 3;
    }
    return plan_with(&baking->plan, &baking->layout, layout_map, extras, count, ret, err);
}

static int patch(struct common *common, struct baking *baking, const struct plan *plan, struct err *err)
{
    char size[16];
    ui_step(&common->ui, "fs", "writing %s into %s", ui_bytes(plan_bytes(plan), size),
            baking->layout.partitions[baking->layout.root].label);
    cleanup_fs_changes struct fs_changes changes = {0};
    if (fs_apply(&baking->disk, &baking->layout, plan, &common->run, &changes, err) < 0)
        return -1;
    run_note(&common->run, "fs", "%llu files, %llu folders, %llu links, %llu removed, %s changed",
             (unsigned long long)changes.files, (unsigned long long)changes.directories,
             (unsigned long long)changes.symlinks, (unsigned long long)changes.removed,
             ui_bytes(changes.bytes_changed, size));
    return 0;
}

static int approve(void *ctx, struct err *err)
{
    return payload_check_wait(ctx, NULL, err);
}

/* The archive stays without its name until everything that goes beside it is ready. */
static int pack(struct common *common, const struct image_options *options, struct baking *baking,
                const struct plan *plan, const char *dir, const char *name, struct newfile *file,
                struct packed *packed, struct err *err)
{
    char size[16];
    cleanup_free char *archive = NULL;
    if (asprintf(&archive, "%s/%s.tar.gz", dir, name) < 0)
        return err_oom(err);
    ui_step(&common->ui, "pack", "a disk of %s", ui_bytes(baking->disk.size, size));
    precompress_end(steal_ptr(baking->ahead));
    struct pack_options how = baking->pack;
    how.cache = baking->inputs.cache;
    how.base = &baking->inputs.base.sha256;
    how.epoch = baking->epoch;
    cleanup_payload_check struct payload_check check = {0};
    payload_check_begin(&check, plan);
    how.approve = (struct pack_approval){approve, &check};
    if (options->early_upload)
        early_upload_begin(common, options->early_upload, &how.sink);
    if (newfile_open(file, archive, 0644, err) < 0 ||
        pack_disk(&baking->disk, &how, file->fd, &common->run, packed, err) < 0)
        return err_wrap(err, "pack");
    if (!options->check)
        return 0;
    ui_step(&common->ui, "pack", "%s, reading it back", ui_bytes(packed->archive_size, size));
    if (pack_check(file->fd, packed, &baking->disk, &common->run, err) < 0)
        return err_wrap(err, "pack: reading back");
    return 0;
}

/* Only an address that is one elsewhere, too: where a local file lies, or what a variable of the environment stood for, is
 * this machine's. */
static const char *address_of(const struct lock_input *input)
{
    bool remote = strncasecmp(input->url, "http:", 5) == 0 || strncasecmp(input->url, "https:", 6) == 0;
    return remote && !strstr(input->url, "${") ? input->url : NULL;
}

static void source_of(const struct lock_input *from, struct seal_source *to)
{
    *to = (struct seal_source){.name = from->name,
                               .url = address_of(from),
                               .sha256 = from->sha256,
                               .size = from->size,
                               .signer = from->signer,
                               .version = from->version};
}

static int seal(struct common *common, const struct baking *baking, const struct plan *plan,
                const struct packed *packed, const char *image_json, const char *name,
                const struct signing_key *key, struct sealed *ret, struct err *err)
{
    const struct inputs *inputs = &baking->inputs;
    const struct lock *lock = &inputs->lock;
    struct seal_input input = {.name = name,
                               .cache = inputs->cache,
                               .bake_version = BAKE_VERSION,
                               .epoch = baking->epoch,
                               .recipe = inputs->recipe.name,
                               .recipe_sha256 = inputs->recipe_sha256,
                               .os = os_kind_name(baking->layout.os),
                               .plan = plan,
                               .packed = packed,
                               .image = image_json};
    cleanup_buf struct buf lock_text = BUF_INIT(LOCK_TEXT_MAX);
    if (lock_write(lock, &lock_text, err) < 0 ||
        sha256_of(lock_text.data, lock_text.len, &input.lock_sha256, err) < 0)
        return -1;
    cleanup_free struct seal_source *sources = calloc(lock->input_count + 1, sizeof *sources);
    if (!sources)
        return err_oom(err);
    for (size_t i = 0; i < lock->input_count; i++) {
        if (strcmp(lock->inputs[i].name, RECIPE_BASE_NAME) == 0)
            source_of(&lock->inputs[i], &input.base);
        else
            source_of(&lock->inputs[i], &sources[input.input_count++]);
    }
    input.inputs = sources;
    if (!input.base.version || !*input.base.version)
        input.base.version = baking->layout.os_version;
    ui_step(&common->ui, "seal", "%s",
            key ? "manifest, provenance, SBOM, signature" : "manifest, provenance, SBOM: unsigned");
    return seal_package(&input, key, ret, err) < 0 ? err_wrap(err, "seal") : 0;
}

/* Patches, packs, seals; then the package's files take their names one right after the other, the manifest last. */
static int build(struct common *common, const struct image_options *options, struct baking *baking,
                 const struct signing_key *key, const char *image_json, const char *name, struct err *err)
{
    const char *dir = options->recipe.out_dir;
    cleanup_buf struct buf json = BUF_INIT(CONTENTS_MAX);
    cleanup_buf struct buf signature = BUF_INIT(MINISIGN_FILE_MAX);
    cleanup_buf struct buf public = BUF_INIT(MINISIGN_FILE_MAX);
    cleanup_plan struct plan plan = {0};
    cleanup_packed struct packed packed = {0};
    cleanup_newfile struct newfile archive = NEWFILE_EMPTY;
    cleanup_sealed struct sealed sealed = {0};
    cleanup_close int lock = -1;
    if (plan_with_lists(baking, key, name, &json, &signature, &public, &plan, err) < 0 ||
        patch(common, baking, &plan, err) < 0 || baking_fsck(common, baking, &plan, err) < 0 ||
        pack(common, options, baking, &plan, dir, name, &archive, &packed, err) < 0 ||
        seal(common, baking, &plan, &packed, image_json, name, key, &sealed, err) < 0 ||
        run_check(&common->run, err) < 0 || keep_lock(dir, &lock, &common->run, err) < 0)
        return -1;
    if (newfile_commit(&archive, false, err) < 0 || seal_write(&sealed, dir, err) < 0)
        return err_wrap(err, "seal");
    return 0;
}

int bake_unchanged(const struct common *common, const struct image_options *options, char **ret_manifest,
                   struct err *err)
{
    cleanup_inputs struct inputs inputs = INPUTS_EMPTY;
    const struct built_query query = {
        .out_dir = options->recipe.out_dir, .key_path = options->key_path, .small = options->small};
    *ret_manifest = NULL;
    if (common->recheck || options->recipe.update)
        return 0;
    if (inputs_open(&options->recipe, &inputs, err) < 0)
        return -1;
    *ret_manifest = built_find(common, &query, &inputs);
    return 0;
}

/* Only a cache that cannot be written stands against it, and that is no reason to fail now. */
static void remember(struct common *common, const struct built *built, const struct built_query *query,
                     const struct baking *baking, const char *name)
{
    struct err why = {0};
    if (built_remember(built, query, &baking->inputs, name, &common->run, &why) < 0)
        run_note(&common->run, "cache", "that this is built is not remembered: %s", why.text);
}

int bake_image(struct common *common, const struct image_options *options, const struct signing_key *key,
               char **ret_manifest, bool *ret_unchanged, struct err *err)
{
    const char *dir = options->recipe.out_dir;
    const struct built_query query = {.out_dir = dir, .key_path = options->key_path, .small = options->small};
    cleanup_baking struct baking baking = BAKING_EMPTY;
    baking.packs = true;
    baking.pack.threads = (unsigned)options->threads;
    baking.pack.small = options->small;
    cleanup_built struct built built = {0};
    cleanup_free char *manifest = NULL;
    cleanup_buf struct buf image_json = BUF_INIT(1 << 20);
    char name[PACKAGE_NAME_CAP];
    if (file_mkdirs(dir, 0755, err) < 0)
        return -1;
    if (access(dir, W_OK | X_OK) < 0) /* said now, not after minutes of work */
        return err_sys(err, errno, "write into %s", dir);
    if (inputs_open(&options->recipe, &baking.inputs, err) < 0 ||
        built_begin(&query, &baking.inputs, &built, err) < 0 ||
        baking_plan(common, &options->recipe, &baking, err) < 0)
        return -1;
    if (image_json_write(&baking.inputs.recipe.image, &image_json, err) < 0 ||
        package_name(&baking, options, key, image_json.data, name, err) < 0)
        return -1;
    if (asprintf(&manifest, "%s/%s.manifest.json", dir, name) < 0)
        return err_oom(err);
    *ret_unchanged = already_there(common, manifest, key);
    if (!*ret_unchanged && build(common, options, &baking, key, image_json.data, name, err) < 0)
        return -1;
    remember(common, &built, &query, &baking, name);
    *ret_manifest = steal_ptr(manifest);
    return 0;
}
