#include "bake/job/inputs/fetch.h"

#include <string.h>

#include "bake/job/inputs/internal.h"
#include "bake/remote/bucket_cache.h"
#include "io/file.h"
#include "verify/verify.h"
#include "text/hex.h"

void fetched_free(struct fetched *fetched)
{
    for (size_t i = 0; i < fetched->input_count; i++)
        trusted_free(&fetched->inputs[i]);
    free(fetched->inputs);
    trusted_free(&fetched->base);
    *fetched = (struct fetched)FETCHED_EMPTY;
}

static void work_free(struct fetch_work *work)
{
    for (size_t i = 0; work->items && i < work->count; i++) {
        artifact_free(&work->items[i].artifact);
        trusted_free(&work->items[i].trusted);
    }
    fetcher_free(work->fetcher);
    arena_free(&work->arena);
}

static int list_items(struct fetch_work *work, struct err *err)
{
    const struct inputs *inputs = &work->job->inputs;
    const struct recipe *recipe = &inputs->recipe;
    work->count = recipe->input_count + 1;
    work->items = arena_array(&work->arena, work->count, sizeof *work->items);
    if (!work->items)
        return err_oom(err);
    for (size_t i = 0; i < work->count; i++) {
        const struct recipe_input *from = i == 0 ? &recipe->base.from : &recipe->inputs[i - 1];
        work->items[i] = (struct fetch_item){.from = from,
                                             .name = i == 0 ? RECIPE_BASE_NAME : from->name,
                                             .url = from->url,
                                             .signature = from->signature,
                                             .sha256 = from->sha256,
                                             .version = "",
                                             .artifact = ARTIFACT_EMPTY,
                                             .trusted = TRUSTED_EMPTY};
    }
    struct fetch_item *base = &work->items[0];
    for (size_t i = 0; !work->locking && i < work->count; i++) {
        struct fetch_item *item = &work->items[i];
        item->pinned = lock_find(&inputs->lock, item->name);
        if (!item->pinned)
            return err_set(err, ERR_INTERNAL, 0, "%s is not in the lock", item->name);
        if (!item->url)
            item->url = item->pinned->url;
    }
    /* a release's signature is needed only to lock it, or to verify it again with --recheck */
    if (!work->locking && !(work->job->common->recheck && !base->from->url))
        return 0;
    struct release_urls urls = {0};
    if (inputs_resolve_base(work, &urls, err) < 0)
        return -1;
    if (work->locking)
        base->url = urls.url;
    base->signature = urls.signature;
    base->version = urls.version ? urls.version : "";
    return 0;
}

/* The digest that it must have, when that is known before it is fetched. */
static bool wanted_sha256(const struct fetch_item *item, struct sha256 *ret)
{
    if (!item->pinned)
        return item->sha256 && hex_decode(item->sha256, ret->bytes, SHA256_SIZE);
    *ret = item->pinned->sha256;
    return true;
}

static int fetch_items(struct fetch_work *work, struct err *err)
{
    struct fetch_request *requests = arena_array(&work->arena, work->count, sizeof *requests);
    struct sha256 *wants = arena_array(&work->arena, work->count, sizeof *wants);
    struct artifact *got = arena_array(&work->arena, work->count, sizeof *got);
    if (!requests || !wants || !got)
        return err_oom(err);
    for (size_t i = 0; i < work->count; i++) {
        const struct fetch_item *item = &work->items[i];
        requests[i] = (struct fetch_request){.name = item->name, .url = item->url};
        got[i] = (struct artifact)ARTIFACT_EMPTY;
        requests[i].want = wanted_sha256(item, &wants[i]) ? &wants[i] : NULL;
        requests[i].want_from = item->pinned         ? FETCH_PIN_LOCK
                                : item->from->sha256 ? FETCH_PIN_RECIPE
                                                     : FETCH_PIN_PUBLISHER;
        requests[i].want_size = item->pinned ? item->pinned->size : 0;
        requests[i].progress = i == 0 ? work->download : NULL;
    }
    if (fetch_all(work->fetcher, work->job->cache, requests, work->count, &work->job->common->run, got, err) <
        0)
        return -1;
    for (size_t i = 0; i < work->count; i++)
        work->items[i].artifact = got[i];
    return 0;
}

/* May it be pinned on trust, without digest or signature? Yes for a local file, and for what came over TLS:
 * fetch follows no redirect that leaves TLS. */
static bool may_pin_on_trust(const char *url)
{
    return inputs_url_is_local(url) || strncasecmp(url, "https:", 6) == 0;
}

/* Does the artifact's digest still describe the file? A local one may have changed since it was hashed. */
static int check_still_hashed(const struct fetch_item *item, bool *ret, struct err *err)
{
    struct file_identity now;
    *ret = true;
    if (!inputs_url_is_local(item->url))
        return 0;
    if (file_identify(item->artifact.fd, &now, err) < 0)
        return -1;
    *ret = file_identity_equal(&now, &item->artifact.identity);
    return 0;
}

static int verify_item(struct fetch_work *work, struct fetch_item *item, struct err *err)
{
    char pinned_hex[SHA256_HEX];
    struct verify_spec spec = {.name = item->name, .sha256 = item->sha256, .sha512 = item->from->sha512};
    cleanup_buf struct buf signature = BUF_INIT(SIGNATURE_MAX);
    if (item->pinned) {
        hex_encode(item->pinned->sha256.bytes, SHA256_SIZE, pinned_hex);
        spec.sha256 = pinned_hex;
        spec.size = item->pinned->size;
        spec.from_lock = true;
        spec.sha512 = NULL;
    }
    if (item->from->keyring && (work->locking || work->job->common->recheck)) {
        cleanup_free char *with_suffix = NULL;
        const char *url = item->signature;
        if (!url && asprintf(&with_suffix, "%s.sig", item->url) >= 0)
            url = with_suffix;
        if (!url)
            return err_oom(err);
        if (fetch_text(work->fetcher, url, SIGNATURE_MAX, &signature, &work->job->common->run, err) < 0) {
            if (err->kind == ERR_REMOTE || err->errnum == ENOENT)
                err->kind = ERR_VERIFY;
            return err_wrap(err, "%s: its signature is missing", item->name);
        }
        spec.keyring = item->from->keyring;
        spec.signature = signature.data ? signature.data : "";
        spec.signature_size = signature.len;
    }
    spec.allow_unpinned = work->locking && may_pin_on_trust(item->url);
    return check_still_hashed(item, &spec.hashed_already, err) < 0
               ? -1
               : verify_artifact(&item->artifact, &spec, &work->job->common->run, &item->trusted, err);
}

/* Brings into the cache what other machines have fetched already, as far as lock or recipe give its
 * digest. */
static int take_from_bucket(struct fetch_work *work, struct bucket_cache *remote, struct err *err)
{
    for (size_t i = 0; i < work->count; i++) {
        const struct fetch_item *item = &work->items[i];
        struct sha256 want;
        if (inputs_url_is_local(item->url) || !wanted_sha256(item, &want))
            continue;
        if (bucket_cache_take(remote, work->job->cache, item->name, &want,
                              item->pinned ? item->pinned->size : 0, err) < 0)
            return -1;
    }
    return 0;
}

/* Only what was verified. */
static int give_to_bucket(struct fetch_work *work, struct bucket_cache *remote, struct err *err)
{
    for (size_t i = 0; i < work->count; i++) {
        const struct trusted *trusted = &work->items[i].trusted;
        if (!inputs_url_is_local(work->items[i].url) &&
            bucket_cache_give(remote, work->items[i].name, &trusted->sha256, trusted->fd, trusted->size,
                              err) < 0)
            return -1;
    }
    return 0;
}

static int verify_items(struct fetch_work *work, struct err *err)
{
    struct common *common = work->job->common;
    ui_step(&common->ui, "verify", "%s", work->locking ? "digests and signatures" : "against the lock");
    for (size_t i = 0; i < work->count; i++) {
        struct fetch_item *item = &work->items[i];
        if (verify_item(work, item, err) < 0)
            return err_wrap(err, "verify");
        if (item->trusted.signer[0])
            run_note(&common->run, "verify", "%s is signed by %s", item->name, item->trusted.signer);
    }
    return 0;
}

/* Moves the verified artifacts to RET. */
static int hand_over(struct fetch_work *work, struct fetched *ret, struct err *err)
{
    ret->inputs = calloc(work->count, sizeof *ret->inputs);
    if (!ret->inputs)
        return err_oom(err);
    ret->input_count = work->count - 1;
    for (size_t i = 0; i < work->count; i++) {
        *(i == 0 ? &ret->base : &ret->inputs[i - 1]) = work->items[i].trusted;
        work->items[i].trusted = (struct trusted)TRUSTED_EMPTY;
    }
    return 0;
}

int inputs_fetch(struct bake_job *job, struct progress *download, struct fetched *ret, struct err *err)
{
    const struct recipe_options *options = job->options;
    struct common *common = job->common;
    cleanup(work_free) struct fetch_work work = {
        .job = job, .download = download, .locking = options->update || job->inputs.lock.input_count == 0};
    cleanup_bucket_cache struct bucket_cache remote = {0};
    const struct bucket_cache_options where = {options->shared_cache, options->session};
    const struct fetch_options how = {.ca = ca_choose(common->ca_file)};
    if (bucket_cache_open(common, &where, &remote, err) < 0 || fetcher_new(&how, &work.fetcher, err) < 0 ||
        list_items(&work, err) < 0)
        return -1;
    ui_step(&common->ui, "fetch", "%zu inputs", work.count);
    if (take_from_bucket(&work, &remote, err) < 0 || fetch_items(&work, err) < 0)
        return err_wrap(err, "fetch");
    if (verify_items(&work, err) < 0 || give_to_bucket(&work, &remote, err) < 0 ||
        (work.locking && inputs_make_lock(&work, &ret->lock_written, err) < 0))
        return -1;
    return hand_over(&work, ret, err);
}
