#include "bake/command/image_job.h"

#include <string.h>
#include <unistd.h>

#include "cache/cache.h"
#include "bake/remote/early_upload.h"
#include "bake/remote/bucket_cache.h"

/* The key's file: the one that was named, else the user's own. *ret is NULL for --unsigned. */
static int find_key(const struct image_options *options, char **ret, struct err *err)
{
    *ret = NULL;
    if (options->unsigned_package)
        return 0;
    if (options->key_path) {
        *ret = strdup(options->key_path);
        return *ret ? 0 : err_oom(err);
    }
    return dir_default("XDG_CONFIG_HOME", ".config", "bake/bake.key", ret, err);
}

static int load_key(const char *path, struct passphrase_options *passphrase, struct signing_key *ret,
                    struct err *err)
{
    if (access(path, F_OK) < 0)
        return err_set(
            err, ERR_USAGE, errno,
            "no signing key at %s: make one with \"bake key new\", name one with --key, or say --unsigned",
            path);
    const struct passphrase_source source = passphrase_source(passphrase);
    return key_load(path, &source, ret, err);
}

static void report(struct common *common, const char *manifest, bool unchanged)
{
    ui_step(&common->ui, "image", unchanged ? "unchanged: it is there already" : "done");
    struct ui_line line;
    ui_line_open(&line, &common->ui, "image");
    json_string(&line.json, "result", unchanged ? "unchanged" : "built");
    json_string(&line.json, "manifest", manifest);
    ui_line_print(&line);
}

/* The last line, whatever was asked for: "built" when anything was new; a failure has its "error" line instead. */
static void report_all(struct common *common, const char *manifest, enum image_result result)
{
    struct ui_line line;
    ui_line_open(&line, &common->ui, "result");
    json_string(&line.json, "result", image_result_word(result));
    json_string(&line.json, "manifest", manifest);
    ui_line_print(&line);
    ui_text(&common->ui, "%s\n", manifest);
}

/* The key is asked for when it is needed, and once: to sign, or to tell who signed what is sent. */
static int need_key(struct image_job *job, struct err *err)
{
    if (!job->key_path || job->key_loaded)
        return 0;
    if (load_key(job->key_path, &job->passphrase, &job->key, err) < 0)
        return -1;
    job->key_loaded = true;
    return 0;
}

static int keep(struct common *common, const struct image_job *job, const char *manifest, struct err *err)
{
    struct kept kept = {0};
    char bytes[16];
    if (job->image.keep == KEEP_ALL || job->publish.push.session.dry_run)
        return 0;
    if (keep_newest(manifest, job->image.keep, &common->run, &kept, err) < 0)
        return err_wrap(err, "--keep");
    if (kept.bytes > 0)
        ui_step(&common->ui, "keep", "%u older packages removed, %s", kept.removed,
                ui_bytes(kept.bytes, bytes));
    return 0;
}

/* What has rotted in the cache is made anew, once. */
static int bake(struct common *common, struct image_options *image, const struct signing_key *key,
                char **ret_manifest, bool *ret_unchanged, struct err *err)
{
    if (bake_image(common, image, key, ret_manifest, ret_unchanged, err) == 0)
        return 0;
    if (err->kind != ERR_VERIFY || err->errnum != CACHE_ROT || common->recheck)
        return -1;
    run_warn(&common->run, "cache", "%s", err->text);
    ui_step(&common->ui, "cache", "once more, with everything in the cache hashed again");
    *err = (struct err){0};
    common->recheck = true;
    image->early_upload = NULL; /* has begun already */
    int r = bake_image(common, image, key, ret_manifest, ret_unchanged, err);
    common->recheck = false;
    return r;
}

int image_job_run(struct common *common, struct image_job *job, enum image_result *ret, struct err *err)
{
    const struct publish_options *publish = &job->publish;
    bool go_on = publish->do_test || publish->do_push || publish->do_promote, more = false;
    cleanup_free char *manifest = NULL;
    common_begin(common); /* of a matrix, the cells before this one no longer need what they used */
    if (recipe_choose(common, &job->image.recipe, err) < 0)
        return -1;
    if (!job->key_path && find_key(&job->image, &job->key_path, err) < 0)
        return -1;
    struct image_options image = job->image;
    image.key_path = job->key_path;
    image.recipe.session = &job->publish.push.session;
    cleanup_early_upload struct early_upload early = {.options = &publish->push};
    /* what is to be booted first is sent when it has been; --no-compose sends no parts */
    if (publish->do_push && !publish->do_test && !publish->push.no_compose && !publish->push.session.dry_run)
        image.early_upload = &early;
    const struct signing_key *with = job->key_path ? &job->key : NULL;
    if (bake_unchanged(common, &image, &manifest, err) < 0)
        return -1;
    bool unchanged = manifest != NULL;
    if ((!unchanged || go_on) && need_key(job, err) < 0)
        return -1;
    if (!unchanged && bake(common, &image, with, &manifest, &unchanged, err) < 0)
        return -1;
    early_upload_end(&early);
    report(common, manifest, unchanged);
    /* not at the end: a push that fails night after night must not fill the disk */
    if (keep(common, job, manifest, err) < 0)
        return -1;
    if (go_on && publish_run(common, publish, manifest, with, &more, err) < 0)
        return -1;
    /* what counts is what is in the project: a job that starts without its last package builds it again, to the same bytes */
    bool is_new = publish->do_push ? more : !unchanged || more;
    *ret = publish->push.session.dry_run ? IMAGE_DRY : is_new ? IMAGE_BUILT : IMAGE_UNCHANGED;
    report_all(common, manifest, *ret);
    return 0;
}

const char *image_result_word(enum image_result result)
{
    static const char *const words[] = {"built", "unchanged", "dry-run"};
    return words[result];
}

int image_job_check(const struct image_job *job, struct err *err)
{
    if (job->image.unsigned_package && job->image.key_path)
        return err_set(err, ERR_USAGE, 0, "--unsigned and --key contradict each other");
    if (job->image.threads > 256)
        return err_set(err, ERR_USAGE, 0, "--threads is at most 256");
    const char *shared = job->image.recipe.shared_cache;
    if (shared && bucket_cache_check(shared, err) < 0)
        return -1;
    if (job->image.keep == 0)
        return err_set(err, ERR_USAGE, 0, "--keep is at least 1: the package that is made stays");
    return publish_options_check(&job->publish, err);
}

void image_job_free(struct image_job *job)
{
    free(job->key_path);
    signing_key_free(&job->key);
    *job = (struct image_job){0};
}
