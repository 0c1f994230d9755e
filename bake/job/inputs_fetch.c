/* inputs_fetch() of inputs.h: what is locked is fetched by its digest; what is not is resolved, fetched, verified, locked. */
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "bake/job/epoch.h"
#include "bake/job/inputs.h"
#include "bake/remote/bucket_cache.h"
#include "fetch/fetch.h"
#include "io/file.h"
#include "recipe/release/release.h"
#include "text/hex.h"
#include "verify/verify.h"

enum { VERSION_TEXT_MAX = 4 << 20 };

/* One thing to fetch: the base is item 0, then the recipe's inputs in its order. */
struct item {
    const struct recipe_input *from;
    const char *url, *signature;     /* signature: URL, NULL when there is none */
    const char *sha256, *version;    /* sha256: hex that the recipe gave, or NULL */
    const struct lock_input *pinned; /* NULL while locking */
    struct artifact artifact;
    struct trusted trusted;
};

struct work {
    struct common *common;
    struct inputs *inputs;
    struct fetcher *fetcher;
    struct arena arena;
    struct item *items;
    size_t count;
    bool locking, allow_downgrade;
};

static void work_free(struct work *work)
{
    for (size_t i = 0; work->items && i < work->count; i++) {
        artifact_free(&work->items[i].artifact);
        trusted_free(&work->items[i].trusted);
    }
    fetcher_free(work->fetcher);
    arena_free(&work->arena);
}

/* The text that names the newest release is signed as the image is. A server without that signature is told of, no more: an
 * old text with its old signature would pass as well, so that what protects is the image's signature, and that no release
 * replaces a newer one unasked. */
static int verify_version(struct work *work, const char *url, const struct buf *text, struct err *err)
{
    const struct recipe_input *base = &work->inputs->recipe.base.from;
    const struct run *run = &work->common->run;
    cleanup_buf struct buf signature = BUF_INIT(SIGNATURE_MAX);
    const char *signature_url = arena_printf(&work->arena, "%s.sig", url);
    struct err why = {0};
    if (!signature_url)
        return err_oom(err);
    if (!base->keyring)
        return 0;
    if (fetch_text(work->fetcher, signature_url, SIGNATURE_MAX, &signature, run, &why) < 0) {
        if (why.kind == ERR_REMOTE) {
            run_warn(run, "lock", "%s is not signed: %s", url, why.text);
            return 0;
        }
        *err = why;
        return -1;
    }
    cleanup_artifact struct artifact artifact = ARTIFACT_EMPTY;
    cleanup_trusted struct trusted trusted = TRUSTED_EMPTY;
    artifact.fd = memfd_create("version", MFD_CLOEXEC);
    if (artifact.fd < 0)
        return err_sys(err, errno, "make a file in memory");
    artifact.size = text->len;
    const struct verify_spec spec = {.name = url,
                                     .keyring = base->keyring,
                                     .signature = signature.data ? signature.data : "",
                                     .signature_size = signature.len,
                                     .signature_name = signature_url};
    return file_write(artifact.fd, text->data ? text->data : "", text->len, "a file in memory", err) < 0
               ? -1
               : verify_artifact(&artifact, &spec, run, &trusted, err);
}

/* The published place of a base that the recipe names by channel and version. */
static int resolve_base(struct work *work, struct release_urls *urls, struct err *err)
{
    const struct recipe *recipe = &work->inputs->recipe;
    const char *version_url = NULL;
    if (release_version_url(recipe, &work->arena, &version_url, err) < 0)
        return -1;
    cleanup_buf struct buf text = BUF_INIT(VERSION_TEXT_MAX);
    if (version_url) {
        ui_step(&work->common->ui, "lock", "asking for the %s version of %s", recipe->base.channel,
                recipe->base.os);
        if (fetch_text(work->fetcher, version_url, VERSION_TEXT_MAX, &text, &work->common->run, err) < 0)
            return err_wrap(err, "base");
        if (verify_version(work, version_url, &text, err) < 0)
            return err_wrap(err, "verify: base");
    }
    if (release_resolve(recipe, text.data, text.len, &work->arena, urls, err) < 0)
        return -1;
    const struct lock_input *locked = lock_find(&work->inputs->lock, RECIPE_BASE_NAME);
    return work->locking && locked && !work->allow_downgrade
               ? release_check_update(recipe, locked, urls, &work->arena, err)
               : 0;
}

static int list_items(struct work *work, struct err *err)
{
    const struct inputs *inputs = work->inputs;
    const struct recipe *recipe = &inputs->recipe;
    work->count = recipe->input_count + 1;
    work->items = arena_array(&work->arena, work->count, sizeof *work->items);
    if (!work->items)
        return err_oom(err);
    for (size_t i = 0; i < work->count; i++) {
        const struct recipe_input *from = i == 0 ? &recipe->base.from : &recipe->inputs[i - 1];
        work->items[i] = (struct item){.from = from,
                                       .url = from->url,
                                       .signature = from->signature,
                                       .sha256 = from->sha256,
                                       .version = "",
                                       .artifact = ARTIFACT_EMPTY,
                                       .trusted = TRUSTED_EMPTY};
    }
    struct item *base = &work->items[0];
    for (size_t i = 0; !work->locking && i < work->count; i++) {
        struct item *item = &work->items[i];
        item->pinned = lock_find(&inputs->lock, i == 0 ? RECIPE_BASE_NAME : item->from->name);
        if (!item->pinned)
            return err_set(err, ERR_INTERNAL, 0, "%s is not in the lock", item->from->name);
        if (!item->url)
            item->url = item->pinned->url;
    }
    /* signatures of a release are looked up again only to lock it, or to check it again on request */
    if (!work->locking && !(work->common->recheck && !base->from->url))
        return 0;
    struct release_urls urls = {0};
    if (resolve_base(work, &urls, err) < 0)
        return -1;
    if (work->locking)
        base->url = urls.url;
    base->signature = urls.signature;
    base->version = urls.version ? urls.version : "";
    return 0;
}

/* What it must be, where that is known before it is fetched. */
static bool wanted_sha256(const struct item *item, struct sha256 *ret)
{
    if (!item->pinned)
        return item->sha256 && hex_decode(item->sha256, ret->bytes, SHA256_SIZE);
    *ret = item->pinned->sha256;
    return true;
}

static int fetch_items(struct work *work, struct err *err)
{
    struct fetch_request *requests = arena_array(&work->arena, work->count, sizeof *requests);
    struct sha256 *wants = arena_array(&work->arena, work->count, sizeof *wants);
    struct artifact *got = arena_array(&work->arena, work->count, sizeof *got);
    if (!requests || !wants || !got)
        return err_oom(err);
    for (size_t i = 0; i < work->count; i++) {
        const struct item *item = &work->items[i];
        requests[i] =
            (struct fetch_request){.name = i == 0 ? RECIPE_BASE_NAME : item->from->name, .url = item->url};
        got[i] = (struct artifact)ARTIFACT_EMPTY;
        requests[i].want = wanted_sha256(item, &wants[i]) ? &wants[i] : NULL;
        requests[i].want_by = item->pinned         ? FETCH_LOCK_SAYS
                              : item->from->sha256 ? FETCH_RECIPE_SAYS
                                                   : FETCH_PUBLISHER_SAYS;
        requests[i].want_size = item->pinned ? item->pinned->size : 0;
        requests[i].progress = i == 0 ? work->inputs->download : NULL;
    }
    if (fetch_all(work->fetcher, work->inputs->cache, requests, work->count, &work->common->run, got, err) <
        0)
        return -1;
    for (size_t i = 0; i < work->count; i++)
        work->items[i].artifact = got[i];
    return 0;
}

static bool is_local(const char *url)
{
    return strncmp(url, "file:", 5) == 0;
}

/* May it be pinned as it comes where nothing vouches for it? A file of this machine may, and what a server sent whose
 * certificate was verified: fetch follows no redirect that leaves TLS. */
static bool may_be_first(const char *url)
{
    return is_local(url) || strncasecmp(url, "https:", 6) == 0;
}

/* Is the artifact's digest of these very bytes? */
static int was_hashed(const struct item *item, bool *ret, struct err *err)
{
    struct file_identity now;
    *ret = true;
    if (!is_local(item->url))
        return 0;
    if (file_identify(item->artifact.fd, &now, err) < 0)
        return -1;
    *ret = file_identity_equal(&now, &item->artifact.identity);
    return 0;
}

static int verify_item(struct work *work, struct item *item, const char *name, struct err *err)
{
    char pinned_hex[SHA256_HEX];
    struct verify_spec spec = {.name = name, .sha256 = item->sha256, .sha512 = item->from->sha512};
    cleanup_buf struct buf signature = BUF_INIT(SIGNATURE_MAX);
    if (item->pinned) {
        hex_encode(item->pinned->sha256.bytes, SHA256_SIZE, pinned_hex);
        spec.sha256 = pinned_hex;
        spec.size = item->pinned->size;
        spec.from_lock = true;
        spec.sha512 = NULL;
    }
    if (item->from->keyring && (work->locking || work->common->recheck)) {
        cleanup_free char *with_suffix = NULL;
        const char *url = item->signature;
        if (!url && asprintf(&with_suffix, "%s.sig", item->url) >= 0)
            url = with_suffix;
        if (!url)
            return err_oom(err);
        if (fetch_text(work->fetcher, url, SIGNATURE_MAX, &signature, &work->common->run, err) < 0) {
            if (err->kind == ERR_REMOTE || err->errnum == ENOENT)
                err->kind = ERR_VERIFY;
            return err_wrap(err, "%s: its signature is missing", name);
        }
        spec.keyring = item->from->keyring;
        spec.signature = signature.data ? signature.data : "";
        spec.signature_size = signature.len;
    }
    spec.allow_unpinned = work->locking && may_be_first(item->url);
    return was_hashed(item, &spec.hashed_already, err) < 0
               ? -1
               : verify_artifact(&item->artifact, &spec, &work->common->run, &item->trusted, err);
}

static int pin(struct lock *lock, const char *name, const struct item *item, struct err *err)
{
    const struct lock_input pinned = {.name = name,
                                      .url = item->from->portable_url ? item->from->portable_url : item->url,
                                      .size = item->trusted.size,
                                      .sha256 = item->trusted.sha256,
                                      .signer = item->trusted.signer,
                                      .version = item->version};
    return lock_add(lock, &pinned, err);
}

/* Nothing changed: the old lock stays, with its time, so that the same bytes come out. */
static bool same_inputs(const struct lock *a, const struct lock *b)
{
    if (a->input_count != b->input_count || !sha256_equal(&a->inputs_digest, &b->inputs_digest))
        return false;
    for (size_t i = 0; i < a->input_count; i++)
        if (strcmp(a->inputs[i].name, b->inputs[i].name) != 0 ||
            strcmp(a->inputs[i].url, b->inputs[i].url) != 0 ||
            !sha256_equal(&a->inputs[i].sha256, &b->inputs[i].sha256))
            return false;
    return true;
}

/* What is new in the lock: on trust as a warning, the rest as a step. The old lock is still there. */
static void tell_pins(const struct work *work, const struct lock *made)
{
    unsigned on_trust = 0;
    for (size_t i = 0; i < work->count; i++) {
        const struct item *item = &work->items[i];
        const struct lock_input *now = lock_find(made, item->from->name);
        const struct lock_input *old = lock_find(&work->inputs->lock, item->from->name);
        char hex[SHA256_HEX], old_hex[SHA256_HEX] = "";
        if (!now || (old && sha256_equal(&old->sha256, &now->sha256)))
            continue;
        hex_encode(now->sha256.bytes, SHA256_SIZE, hex);
        if (old)
            hex_encode(old->sha256.bytes, SHA256_SIZE, old_hex);
        bool vouched = item->sha256 || item->from->sha512 || item->from->keyring;
        on_trust += !vouched;
        if (!vouched && old)
            run_warn(&work->common->run, "lock",
                     "%s CHANGED since it was locked, and no digest or signature vouches for it: sha256 %s "
                     "is now %s (%s)",
                     now->name, old_hex, hex, now->url);
        else if (!vouched)
            run_warn(&work->common->run, "lock",
                     "%s is pinned on trust, this first time, as %s it: sha256 %s (%s)", now->name,
                     is_local(item->url) ? "this machine has" : "its server sent", hex, now->url);
        else if (old)
            ui_step(&work->common->ui, "lock", "%s changed: sha256 %s is now %s", now->name, old_hex, hex);
    }
    if (on_trust > 0)
        run_warn(&work->common->run, "lock",
                 "compare with what the publisher says, and put the digest into the recipe; "
                 "--require-digests refuses "
                 "instead");
}

static int write_lock(const struct inputs *inputs, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(LOCK_TEXT_MAX);
    if (lock_write(&inputs->lock, &text, err) < 0)
        return -1;
    const char *slash = strrchr(inputs->lock_path, '/');
    if (slash && slash != inputs->lock_path) {
        cleanup_free char *dir = strndup(inputs->lock_path, (size_t)(slash - inputs->lock_path));
        if (!dir)
            return err_oom(err);
        if (file_mkdirs(dir, 0755, err) < 0)
            return -1;
    }
    if (file_put(inputs->lock_path, text.data, text.len, 0644, err) < 0)
        return err_wrap(err, "lock");
    return 0;
}

static int make_lock(struct work *work, struct err *err)
{
    struct inputs *inputs = work->inputs;
    int64_t epoch = 0;
    bool set = false;
    if (epoch_from_environment(&epoch, &set, err) < 0)
        return -1;
    if (!set)
        epoch = (int64_t)time(NULL);
    cleanup_lock struct lock made = {0};
    if (lock_begin(&inputs->recipe, epoch, &made, err) < 0)
        return -1;
    for (size_t i = 0; i < work->count; i++)
        if (pin(&made, i == 0 ? RECIPE_BASE_NAME : work->items[i].from->name, &work->items[i], err) < 0)
            return -1;
    if (inputs->lock.input_count > 0 && same_inputs(&inputs->lock, &made)) {
        ui_step(&work->common->ui, "lock", "%s is up to date", inputs->lock_path);
        return 0;
    }
    tell_pins(work, &made);
    lock_free(&inputs->lock);
    inputs->lock = made;
    made = (struct lock){0};
    if (write_lock(inputs, err) < 0)
        return -1;
    inputs->lock_written = true;
    ui_step(&work->common->ui, "lock", "wrote %s", inputs->lock_path);
    return 0;
}

static const char *name_of(const struct work *work, size_t index)
{
    return index == 0 ? RECIPE_BASE_NAME : work->items[index].from->name;
}

/* What other machines have fetched already, of what lock or recipe give a digest of: it then is in the cache. */
static int take_from_bucket(struct work *work, struct bucket_cache *remote, struct err *err)
{
    for (size_t i = 0; i < work->count; i++) {
        const struct item *item = &work->items[i];
        struct sha256 want;
        if (is_local(item->url) || !wanted_sha256(item, &want))
            continue;
        if (bucket_cache_take(remote, work->inputs->cache, name_of(work, i), &want,
                              item->pinned ? item->pinned->size : 0, err) < 0)
            return -1;
    }
    return 0;
}

/* Once it is verified. */
static int give_to_bucket(struct work *work, struct bucket_cache *remote, struct err *err)
{
    for (size_t i = 0; i < work->count; i++) {
        const struct trusted *trusted = &work->items[i].trusted;
        if (!is_local(work->items[i].url) && bucket_cache_give(remote, name_of(work, i), &trusted->sha256,
                                                               trusted->fd, trusted->size, err) < 0)
            return -1;
    }
    return 0;
}

int inputs_fetch(struct common *common, const struct recipe_options *options, struct inputs *inputs,
                 struct err *err)
{
    cleanup(work_free) struct work work = {.common = common,
                                           .inputs = inputs,
                                           .allow_downgrade = options->allow_downgrade,
                                           .locking = options->update || inputs->lock.input_count == 0};
    if (!inputs->cache && common_cache(common, &inputs->cache, err) < 0)
        return err_wrap(err, "cache");
    cleanup_bucket_cache struct bucket_cache remote = {0};
    const struct bucket_cache_options where = {options->shared_cache, options->session};
    const struct fetch_options how = {.ca = ca_choose(common->ca_file)};
    if (bucket_cache_open(common, &where, &remote, err) < 0 || fetcher_new(&how, &work.fetcher, err) < 0 ||
        list_items(&work, err) < 0)
        return -1;
    ui_step(&common->ui, "fetch", "%zu inputs", work.count);
    if (take_from_bucket(&work, &remote, err) < 0 || fetch_items(&work, err) < 0)
        return err_wrap(err, "fetch");
    ui_step(&common->ui, "verify", "%s", work.locking ? "digests and signatures" : "against the lock");
    for (size_t i = 0; i < work.count; i++) {
        const char *name = name_of(&work, i);
        if (verify_item(&work, &work.items[i], name, err) < 0)
            return err_wrap(err, "verify");
        if (work.items[i].trusted.signer[0])
            run_note(&common->run, "verify", "%s is signed by %s", name, work.items[i].trusted.signer);
    }
    if (give_to_bucket(&work, &remote, err) < 0 || (work.locking && make_lock(&work, err) < 0))
        return -1;
    inputs->items = calloc(inputs->recipe.input_count + 1, sizeof *inputs->items);
    if (!inputs->items)
        return err_oom(err);
    for (size_t i = 0; i < inputs->recipe.input_count; i++) {
        inputs->items[i] = work.items[i + 1].trusted;
        work.items[i + 1].trusted = (struct trusted)TRUSTED_EMPTY;
    }
    inputs->base = work.items[0].trusted;
    work.items[0].trusted = (struct trusted)TRUSTED_EMPTY;
    return 0;
}
