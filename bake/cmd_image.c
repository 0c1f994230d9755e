/* bake image: the main job. */
#include <string.h>
#include <unistd.h>

#include "nightly.h"
#include "passphrase.h"
#include "pipeline.h"

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

struct image_command {
    struct image_options image;
    struct passphrase_options passphrase;
    struct nightly_options nightly;
};

static void report(struct common *common, const char *manifest, bool unchanged)
{
    ui_step(&common->ui, "image", unchanged ? "unchanged: it is there already" : "done");
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "event", "image");
    cJSON_AddStringToObject(object, "result", unchanged ? "unchanged" : "built");
    cJSON_AddStringToObject(object, "manifest", manifest);
    ui_json(&common->ui, object);
}

/* The last line, whatever was asked for: "built" when anything was new; a failure has its "error" line instead. */
static void report_all(struct common *common, const struct nightly_options *options, const char *manifest,
                       bool is_new)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "event", "result");
    bool dry = options->push.cloud.dry_run;
    cJSON_AddStringToObject(object, "result", dry ? "dry-run" : is_new ? "built" : "unchanged");
    cJSON_AddStringToObject(object, "manifest", manifest);
    ui_json(&common->ui, object);
    ui_text(&common->ui, "%s\n", manifest);
    common->exit_code = is_new || dry ? 0 : (int)options->unchanged_exit;
}

/* The key is asked for when it is needed: to sign, or to tell who signed what is sent. */
static int run(struct common *common, struct image_command *options, struct err *err)
{
    const struct nightly_options *nightly = &options->nightly;
    bool go_on = nightly->do_test || nightly->do_push || nightly->do_promote, more = false;
    cleanup_signing_key struct signing_key key = {0};
    cleanup_free char *key_path = NULL;
    cleanup_free char *manifest = NULL;
    if (find_key(&options->image, &key_path, err) < 0)
        return -1;
    options->image.key_path = key_path;
    const struct signing_key *with = key_path ? &key : NULL;
    if (bake_unchanged(common, &options->image, &manifest, err) < 0)
        return -1;
    bool unchanged = manifest != NULL;
    if (with && (!unchanged || go_on) && load_key(key_path, &options->passphrase, &key, err) < 0)
        return -1;
    if (!unchanged && bake_image(common, &options->image, with, &manifest, &unchanged, err) < 0)
        return -1;
    report(common, manifest, unchanged);
    if (go_on && nightly_run(common, nightly, manifest, with, &more, err) < 0)
        return -1;
    /* what counts is what is in the project: a job that starts without its last package builds it again, to the same bytes */
    report_all(common, nightly, manifest, nightly->do_push ? more : !unchanged || more);
    return 0;
}

int cmd_image(struct common *common, int argc, char **argv, struct err *err)
{
    struct image_command options = {.image.recipe.out_dir = "out", .passphrase = PASSPHRASE_NONE};
    struct nightly_options *nightly = &options.nightly;
    bool done;
    const struct option_spec specs[] = {
        RECIPE_OPTIONS(&options.image.recipe),
        {"key", 'k', OPTION_STRING, &options.image.key_path, "FILE",
         "secret key, else $XDG_CONFIG_HOME/bake/bake.key"},
        {"unsigned", 0, OPTION_FLAG, &options.image.unsigned_package, NULL, "sign nothing"},
        PASSPHRASE_OPTIONS(&options.passphrase),
        {"small", 0, OPTION_FLAG, &options.image.small, NULL, "a smaller archive, in three times the time"},
        {"check", 0, OPTION_FLAG, &options.image.check, NULL, "read the archive back and compare it"},
        {"threads", 'j', OPTION_UINT, &options.image.threads, "N", "workers, else one a core"},
        {"test", 0, OPTION_FLAG, &nightly->do_test, NULL, "boot it, as bake test does, before it is pushed"},
        {"test-timeout", 0, OPTION_UINT, &nightly->test_timeout_s, "S", "seconds that may take (600)"},
        {"push", 0, OPTION_FLAG, &nightly->do_push, NULL, "then bake push; its options:"},
        PUSH_OPTIONS(&nightly->push),
        {"promote", 0, OPTION_FLAG, &nightly->do_promote, NULL, "then make it the family's head"},
        {"unchanged-exit", 0, OPTION_UINT, &nightly->unchanged_exit, "N",
         "exit code when nothing is new (0)"},
        COMMON_CACHE_OPTIONS(common),
        COMMON_OUTPUT_OPTIONS(common),
        OPTIONS_END,
    };
    const struct command_help help = {
        .usage = "bake image [RECIPE] [options]",
        .summary = "Fetches and verifies what RECIPE names, patches the base's disk without root and\n"
                   "without booting it, packs it for Google Compute Engine and signs the result.\n"
                   "Without RECIPE: bake.json here, else the compiled-in stand-in.",
        .more = "The last line of stdout is the path of the package's manifest. Every night:\n"
                "bake image --update --test --push --promote --bucket NAME, safe to repeat.",
    };
    if (common_parse(common, argc, argv, &help, specs, &options.image.recipe.path, 1, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (options.image.unsigned_package && options.image.key_path)
        return err_set(err, ERR_USAGE, 0, "--unsigned and --key contradict each other");
    if (options.image.threads > 256)
        return err_set(err, ERR_USAGE, 0, "--threads is at most 256");
    if (nightly_options_check(nightly, err) < 0)
        return -1;
    return run(common, &options, err);
}
