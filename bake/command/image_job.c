#include "bake/command/image_job.h"

#include <string.h>
#include <unistd.h>

#include "bake/remote/bucket_cache.h"
#include "bake/remote/early_upload.h"
#include "cache/cache.h"

static const struct option image_rows[] = {
    {"unsigned", 0, FLAG_OF(struct image_options, unsigned_package), NULL, "sign nothing"},
    {"small", 0, FLAG_OF(struct image_options, small), NULL, "a smaller archive, in three times the time"},
    {"check", 0, FLAG_OF(struct image_options, check), NULL, "read the archive back and compare it"},
    {"threads", 'j', UINT_OF(struct image_options, threads), "N", "worker threads, else one per core"},
    {"keep", 0, UINT_OF(struct image_options, keep), "N",
     "keep only the N newest packages of its name in --out"},
    {"shared-cache", 0, STRING_OF(struct image_options, recipe.shared_cache), "gs://..",
     "share inputs among machines in this bucket"},
    {0},
};
const struct option_group image_group = {.title = "Package", .rows = image_rows};

/* The key's file: --key, else the user's own. *ret is NULL for --unsigned. */
static int find_key(const struct image_job *job, char **ret, struct err *err)
{
    *ret = NULL;
    if (job->image.unsigned_package)
        return 0;
    if (job->key_options.path) {
        *ret = strdup(job->key_options.path);
        return *ret ? 0 : err_oom(err);
    }
    return dir_default("XDG_CONFIG_HOME", ".config", "bake/bake.key", ret, err);
}

static int load_key(const char *path, struct passphrase_options *passphrase, struct signing_key *ret,
                    struct err *err)
{
    if (access(path, F_OK) < 0)
        return err_set(err, ERR_USAGE, errno,
                       "no signing key at %s: make one with \"bake key new\", or use --key or --unsigned",
                       path);
    const struct passphrase_source source = passphrase_source(passphrase);
    return key_load(path, &source, ret, err);
}

static void report_package(struct common *common, const char *manifest, bool unchanged)
{
    ui_step(&common->ui, "image", unchanged ? "unchanged: it already exists" : "done");
    struct ui_line line;
    ui_line_open(&line, &common->ui, "image");
    json_string(&line.json, "result", unchanged ? "unchanged" : "built");
    json_string(&line.json, "manifest", manifest);
    ui_line_print(&line);
}

/* The last line, always: "built" when anything was new. A failure ends with an "error" line instead. */
static void report_result(struct common *common, const char *manifest, enum image_result result)
{
    struct ui_line line;
    ui_line_open(&line, &common->ui, "result");
    json_string(&line.json, "result", image_result_word(result));
    json_string(&line.json, "manifest", manifest);
    ui_line_print(&line);
    ui_text(&common->ui, "%s\n", manifest);
}

/* Loads the key when it is first needed, so that the passphrase is asked for once or never: to sign, or to
 * verify what is published. */
static int need_key(struct image_job *job, struct err *err)
{
    if (!job->key_path || job->key_loaded)
        return 0;
    if (load_key(job->key_path, &job->key_options.passphrase, &job->key, err) < 0)
        return -1;
    job->key_loaded = true;
    return 0;
}

static int remove_older(struct common *common, const struct image_job *job, const char *manifest,
                        struct err *err)
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

/* If a cached file turns out to be damaged, starts once more with everything in the cache hashed again. */
static int bake_or_recheck(struct common *common, struct image_options *image, const struct signing_key *key,
                           char **ret_manifest, bool *ret_unchanged, struct err *err)
{
    if (bake_image(common, image, key, ret_manifest, ret_unchanged, err) == 0)
        return 0;
    if (err->kind != ERR_VERIFY || err->errnum != CACHE_ROT || common->recheck)
        return -1;
    run_warn(&common->run, "cache", "%s", err->text);
    ui_step(&common->ui, "cache", "starting again, with everything in the cache hashed again");
    *err = (struct err){0};
    common->recheck = true;
    image->early_upload = NULL; /* already running */
    int r = bake_image(common, image, key, ret_manifest, ret_unchanged, err);
    common->recheck = false;
    return r;
}

int image_job_run(struct common *common, struct image_job *job, enum image_result *ret, struct err *err)
{
    const struct publish_options *publish = &job->publish;
    bool go_on = publish->do_test || publish->do_push || publish->do_promote, more = false;
    cleanup_free char *manifest = NULL;
    common_begin(common); /* entries that earlier cells of a matrix used may be evicted */
    if (recipe_choose(common, &job->image.recipe, err) < 0)
        return -1;
    if (!job->key_path && find_key(job, &job->key_path, err) < 0)
        return -1;
    struct image_options image = job->image;
    image.key_path = job->key_path;
    image.recipe.session = &job->publish.push.session;
    cleanup_early_upload struct early_upload early = {.options = &publish->push};
    /* with --test nothing is sent before the test passed; --no-compose has no parts to send */
    if (publish->do_push && !publish->do_test && !publish->push.no_compose && !publish->push.session.dry_run)
        image.early_upload = &early;
    const struct signing_key *with = job->key_path ? &job->key : NULL;
    if (bake_unchanged(common, &image, &manifest, err) < 0)
        return -1;
    bool unchanged = manifest != NULL;
    if ((!unchanged || go_on) && need_key(job, err) < 0)
        return -1;
    if (!unchanged && bake_or_recheck(common, &image, with, &manifest, &unchanged, err) < 0)
        return -1;
    early_upload_end(&early);
    report_package(common, manifest, unchanged);
    /* before publishing: a push that fails every night must not fill the disk */
    if (remove_older(common, job, manifest, err) < 0)
        return -1;
    if (go_on && publish_run(common, publish, manifest, with, &more, err) < 0)
        return -1;
    /* with --push, only what is new to the project counts: a job on a fresh disk rebuilds the same bytes */
    bool is_new = publish->do_push ? more : !unchanged || more;
    *ret = publish->push.session.dry_run ? IMAGE_DRY : is_new ? IMAGE_BUILT : IMAGE_UNCHANGED;
    report_result(common, manifest, *ret);
    return 0;
}

const char *image_result_word(enum image_result result)
{
    static const char *const words[] = {"built", "unchanged", "dry-run"};
    return words[result];
}

int image_job_check(const struct image_job *job, struct err *err)
{
    if (job->image.unsigned_package && job->key_options.path)
        return err_set(err, ERR_USAGE, 0, "--unsigned and --key contradict each other");
    if (job->image.threads > 256)
        return err_set(err, ERR_USAGE, 0, "--threads is at most 256");
    const char *shared = job->image.recipe.shared_cache;
    if (shared && bucket_cache_check(shared, err) < 0)
        return -1;
    if (job->image.keep == 0)
        return err_set(err, ERR_USAGE, 0, "--keep is at least 1: the new package stays");
    return publish_options_check(&job->publish, err);
}

void image_job_free(struct image_job *job)
{
    free(job->key_path);
    signing_key_free(&job->key);
    *job = (struct image_job){0};
}
