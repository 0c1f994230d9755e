/* inputs_resolve_base() of internal.h: the release that a channel names now. */
#include <string.h>
#include <sys/mman.h>

#include "bake/job/inputs/internal.h"
#include "io/file.h"
#include "verify/verify.h"

enum { VERSION_TEXT_MAX = 4 << 20 };

/* The text that names the newest release is signed like the image. A missing signature is only a warning: an
 * attacker could as well replay an old text with its old signature. The image's own signature protects, and
 * the rule that an older release never replaces a newer one unless allowed to. */
static int verify_version(struct fetch_work *work, const char *url, const struct buf *text, struct err *err)
{
    const struct recipe_input *base = &work->job->inputs.recipe.base.from;
    const struct run *run = &work->job->common->run;
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
        return err_sys(err, errno, "create a file in memory");
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

int inputs_resolve_base(struct fetch_work *work, struct release_urls *urls, struct err *err)
{
    const struct recipe *recipe = &work->job->inputs.recipe;
    const char *version_url = NULL;
    if (release_version_url(recipe, &work->arena, &version_url, err) < 0)
        return -1;
    cleanup_buf struct buf text = BUF_INIT(VERSION_TEXT_MAX);
    if (version_url) {
        ui_step(&work->job->common->ui, "lock", "asking for the %s version of %s", recipe->base.channel,
                recipe->base.os);
        if (fetch_text(work->fetcher, version_url, VERSION_TEXT_MAX, &text, &work->job->common->run, err) < 0)
            return err_wrap(err, "base");
        if (verify_version(work, version_url, &text, err) < 0)
            return err_wrap(err, "verify: base");
    }
    if (release_resolve(recipe, text.data, text.len, &work->arena, urls, err) < 0)
        return -1;
    const struct lock_input *locked = lock_find(&work->job->inputs.lock, RECIPE_BASE_NAME);
    return work->locking && locked && !work->job->options->allow_downgrade
               ? release_check_update(recipe, locked, urls, &work->arena, err)
               : 0;
}
