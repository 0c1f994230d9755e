/* bake image: the main job. */
#include <string.h>
#include <unistd.h>

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

static void report(struct common *common, const char *manifest, bool unchanged)
{
    ui_step(&common->ui, "image", unchanged ? "unchanged: it is there already" : "done");
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "event", "image");
    cJSON_AddStringToObject(object, "result", unchanged ? "unchanged" : "built");
    cJSON_AddStringToObject(object, "manifest", manifest);
    ui_json(&common->ui, object);
    ui_text(&common->ui, "%s\n", manifest);
}

int cmd_image(struct common *common, int argc, char **argv, struct err *err)
{
    struct image_options options = {.recipe.out_dir = "out"};
    struct passphrase_options passphrase = PASSPHRASE_NONE;
    bool done;
    const struct option_spec specs[] = {
        RECIPE_OPTIONS(&options.recipe),
        {"key", 'k', OPTION_STRING, &options.key_path, "FILE",
         "secret key, else $XDG_CONFIG_HOME/bake/bake.key"},
        {"unsigned", 0, OPTION_FLAG, &options.unsigned_package, NULL, "sign nothing"},
        PASSPHRASE_OPTIONS(&passphrase),
        {"small", 0, OPTION_FLAG, &options.small, NULL, "a smaller archive, in three times the time"},
        {"check", 0, OPTION_FLAG, &options.check, NULL, "read the archive back and compare it"},
        {"threads", 'j', OPTION_UINT, &options.threads, "N", "workers, else one a core"},
        COMMON_CACHE_OPTIONS(common),
        COMMON_OUTPUT_OPTIONS(common),
        OPTIONS_END,
    };
    const struct command_help help = {
        .usage = "bake image [RECIPE] [options]",
        .summary = "Fetches and verifies what RECIPE names, patches the base's disk without root and\n"
                   "without booting it, packs it for Google Compute Engine and signs the result.\n"
                   "Without RECIPE: bake.json here, else the compiled-in stand-in.",
        .more = "The last line of stdout is the path of the package's manifest.",
    };
    if (common_parse(common, argc, argv, &help, specs, &options.recipe.path, 1, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (options.unsigned_package && options.key_path)
        return err_set(err, ERR_USAGE, 0, "--unsigned and --key contradict each other");
    if (options.threads > 256)
        return err_set(err, ERR_USAGE, 0, "--threads is at most 256");
    cleanup_free char *key_path = NULL;
    cleanup_free char *manifest = NULL;
    if (find_key(&options, &key_path, err) < 0)
        return -1;
    options.key_path = key_path;
    if (bake_unchanged(common, &options, &manifest, err) < 0)
        return -1;
    bool unchanged = manifest != NULL;
    if (!unchanged) {
        cleanup_signing_key struct signing_key key = {0};
        if (key_path && load_key(key_path, &passphrase, &key, err) < 0)
            return -1;
        if (bake_image(common, &options, key_path ? &key : NULL, &manifest, &unchanged, err) < 0)
            return -1;
    }
    report(common, manifest, unchanged);
    return 0;
}
