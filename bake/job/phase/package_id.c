#include "bake/job/phase/package_id.h"

#include <unistd.h>

#include "bake/job/inputs/image_json.h"
#include "pack/pack.h"
#include "seal/read.h"
#include "text/hex.h"

enum { IMAGE_JSON_MAX = 1 << 20, ID_TEXT_MAX = 1 << 20 };

void package_id_free(struct package_id *id)
{
    free(id->manifest);
    buf_free(&id->image_json);
}

static void describe_inputs(const struct inputs *inputs, struct buf *text)
{
    char hex[SHA256_HEX];
    hex_encode(inputs->recipe_sha256.bytes, SHA256_SIZE, hex);
    buf_printf(text, "recipe %s %s\n", inputs->recipe.name, hex);
    for (size_t i = 0; i < inputs->lock.input_count; i++) {
        const struct lock_input *input = &inputs->lock.inputs[i];
        hex_encode(input->sha256.bytes, SHA256_SIZE, hex);
        buf_printf(text, "input %s %s %s %s %s\n", input->name, hex, input->url, input->signer,
                   input->version);
    }
}

static void describe_key(const struct signing_key *key, struct buf *text)
{
    char id[MINISIGN_ID_HEX] = "unsigned", public_text[MINISIGN_PUBLIC_TEXT] = "";
    if (key) {
        minisign_id_text(key->public.id, id);
        minisign_public_text(&key->public, public_text);
    }
    buf_printf(text, "key %s %s\n", id, public_text);
}

int package_id_make(const struct bake_job *job, const struct image_options *options,
                    const struct signing_key *key, const struct fetched *fetched, const struct unpacked *base,
                    const struct planned *planned, struct package_id *ret, struct err *err)
{
    char plan_hex[SHA256_HEX], base_hex[SHA256_HEX], digest_hex[SHA256_HEX];
    struct sha256 digest;
    cleanup_buf struct buf text = BUF_INIT(ID_TEXT_MAX);
    ret->image_json = (struct buf)BUF_INIT(IMAGE_JSON_MAX);
    if (image_json_write(&job->inputs.recipe.image, &ret->image_json, err) < 0)
        return -1;
    hex_encode(planned->plan.digest.bytes, SHA256_SIZE, plan_hex);
    hex_encode(fetched->base.sha256.bytes, SHA256_SIZE, base_hex);
    buf_printf(&text, "bake %s package %d pack %d %s\nplan %s\nbase %s disk %llu root %d\n", BAKE_VERSION,
               PACKAGE_FORMAT, PACK_FORM, pack_engine(options->small), plan_hex, base_hex,
               (unsigned long long)base->layout.disk_size, base->root_grown);
    describe_inputs(&job->inputs, &text);
    describe_key(key, &text);
    buf_printf(&text, "image %s\n", ret->image_json.data);
    if (buf_check(&text, "the package's digest", err) < 0 || sha256_of(text.data, text.len, &digest, err) < 0)
        return -1;
    hex_encode(digest.bytes, SHA256_SIZE, digest_hex);
    snprintf(ret->name, sizeof ret->name, "%.60s-%.*s", job->inputs.recipe.name, PACKAGE_DIGEST, digest_hex);
    if (asprintf(&ret->manifest, "%s/%s.manifest.json", options->recipe.out_dir, ret->name) < 0) {
        ret->manifest = NULL;
        return err_oom(err);
    }
    return 0;
}

bool package_id_exists(const struct package_id *id, struct common *common, const struct signing_key *key)
{
    struct err why = {0};
    cleanup_package struct package package = {0};
    if (access(id->manifest, F_OK) < 0) /* it is written last */
        return false;
    ui_step(&common->ui, "check", "is the existing package complete?");
    if (package_open(id->manifest, key ? &key->public : NULL, &package, NULL, &why) == 0 &&
        package_check_archive(&package, id->manifest, &common->run, NULL, &why) == 0)
        return true;
    run_note(&common->run, "check", "making it again: %s", why.text);
    return false;
}
