#include "bake/job/phase/seal.h"

#include <string.h>

#include "layout/layout.h"
#include "seal/package.h"

/* An address that means the same elsewhere, or NULL: not one of a local file, nor one with a variable of this
 * environment. */
static const char *public_url(const struct lock_input *input)
{
    bool remote = strncasecmp(input->url, "http:", 5) == 0 || strncasecmp(input->url, "https:", 6) == 0;
    return remote && !strstr(input->url, "${") ? input->url : NULL;
}

static struct seal_source source_of(const struct lock_input *from)
{
    return (struct seal_source){.name = from->name,
                                .url = public_url(from),
                                .sha256 = from->sha256,
                                .size = from->size,
                                .signer = from->signer,
                                .version = from->version};
}

static int digest_lock(const struct lock *lock, struct sha256 *ret, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(LOCK_TEXT_MAX);
    return lock_write(lock, &text, err) < 0 ? -1 : sha256_of(text.data, text.len, ret, err);
}

/* The base apart from the other inputs. SOURCES has room for all. */
static void list_sources(const struct lock *lock, struct seal_source *sources, struct seal_input *to)
{
    to->inputs = sources;
    for (size_t i = 0; i < lock->input_count; i++) {
        bool base = strcmp(lock->inputs[i].name, RECIPE_BASE_NAME) == 0;
        *(base ? &to->base : &sources[to->input_count++]) = source_of(&lock->inputs[i]);
    }
}

/* The texts of what the plan found. */
struct kubernetes_texts {
    char version[KUBE_NUMBER_CAP], etcd[KUBE_NUMBER_CAP], containerd[KUBE_NUMBER_CAP];
};

static struct seal_kubernetes kubernetes_of(const struct kube_variant *variant, struct kubernetes_texts *to)
{
    return (struct seal_kubernetes){.version = kube_number_text(&variant->by_files, to->version),
                                    .etcd = kube_number_text(&variant->etcd, to->etcd),
                                    .containerd = kube_number_text(&variant->containerd, to->containerd)};
}

int phase_seal(const struct bake_job *job, const struct patched *patched, const struct packed_image *image,
               const struct package_id *id, const struct signing_key *key, struct sealed *ret,
               struct err *err)
{
    const struct inputs *inputs = &job->inputs;
    const struct layout *layout = &patched->base->layout;
    const struct kube_variant *variant = &patched->planned->kubernetes;
    struct kubernetes_texts texts;
    const struct seal_kubernetes kubernetes = kubernetes_of(variant, &texts);
    struct seal_input input = {.name = id->name,
                               .cache = job->cache,
                               .bake_version = BAKE_VERSION,
                               .epoch = patched->plan.epoch,
                               .recipe = inputs->recipe.name,
                               .recipe_sha256 = inputs->recipe_sha256,
                               .os = os_kind_name(layout->os),
                               .kubernetes = variant->form == KUBERNETES_NONE ? NULL : &kubernetes,
                               .plan = &patched->plan,
                               .packed = &image->packed,
                               .image = id->image_json.data};
    if (digest_lock(&inputs->lock, &input.lock_sha256, err) < 0)
        return -1;
    cleanup_free struct seal_source *sources = calloc(inputs->lock.input_count + 1, sizeof *sources);
    if (!sources)
        return err_oom(err);
    list_sources(&inputs->lock, sources, &input);
    if (!input.base.version || !*input.base.version)
        input.base.version = layout->os_version;
    ui_step(&job->common->ui, "seal", "%s",
            key ? "manifest, provenance, SBOM, signature" : "manifest, provenance, SBOM: unsigned");
    return seal_package(&input, key, ret, err) < 0 ? err_wrap(err, "seal") : 0;
}
