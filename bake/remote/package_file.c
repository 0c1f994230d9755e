#include "bake/remote/package_file.h"

#include <string.h>

#include "seal/sign/key.h"

static const struct option package_rows[] = {
    {"public-key", 'p', STRING_OF(struct package_options, public_key), "KEY",
     "public key, a file or its text; else $XDG_CONFIG_HOME/bake/bake.pub"},
    {"unsigned", 0, FLAG_OF(struct package_options, unsigned_package), NULL, "check digests only"},
    {0},
};
const struct option_group package_group = {.title = "Verification", .rows = package_rows};

int package_options_check(const struct package_options *options, struct err *err)
{
    if (!options->package)
        return err_set(err, ERR_USAGE, 0, "no package: give the path of its NAME.manifest.json");
    if (options->unsigned_package && options->public_key)
        return err_set(err, ERR_USAGE, 0, "--unsigned and --public-key contradict each other");
    return 0;
}

int package_manifest_path(const char *package, char **ret, struct err *err)
{
    static const char archive[] = ".tar.gz", manifest[] = ".manifest.json";
    size_t len = strlen(package);
    char *made = NULL;
    int n = 0;
    if (len > sizeof manifest && strcmp(package + len - (sizeof manifest - 1), manifest) == 0)
        made = strdup(package);
    else if (len > sizeof archive && strcmp(package + len - (sizeof archive - 1), archive) == 0)
        n = asprintf(&made, "%.*s%s", (int)(len - (sizeof archive - 1)), package, manifest);
    else
        return err_set(err, ERR_USAGE, 0, "%s: give the package's NAME.manifest.json or NAME.tar.gz",
                       package);
    if (n < 0 || !made)
        return err_oom(err);
    *ret = made;
    return 0;
}

/* *ret_has is false for --unsigned, and with a warning when the user has no key. */
static int find_public_key(struct common *common, const struct package_options *options, const char *stage,
                           struct minisign_public *ret, bool *ret_has, struct err *err)
{
    *ret_has = false;
    if (options->unsigned_package)
        return 0;
    if (options->public_key) {
        *ret_has = true;
        return key_public_load(options->public_key, ret, err);
    }
    cleanup_free char *secret = NULL;
    if (dir_default("XDG_CONFIG_HOME", ".config", "bake/bake.key", &secret, err) < 0)
        return -1;
    cleanup_free char *path = key_public_path(secret);
    if (!path)
        return err_oom(err);
    if (access(path, F_OK) < 0) {
        run_warn(&common->run, stage,
                 "no public key at %s: the package's digests are checked, its signature is not", path);
        return 0;
    }
    *ret_has = true;
    return key_public_load(path, ret, err);
}

int package_file_open(struct common *common, const struct package_options *options, const char *stage,
                      struct package *ret, struct sealed *ret_sealed, int *ret_fd, struct err *err)
{
    struct minisign_public key;
    bool has_key = false;
    cleanup_free char *path = NULL;
    if (package_manifest_path(options->package, &path, err) < 0 ||
        find_public_key(common, options, stage, &key, &has_key, err) < 0)
        return -1;
    ui_step(&common->ui, "verify", "%s", path);
    if (package_open(path, has_key ? &key : NULL, ret, ret_sealed, err) < 0)
        return -1;
    return package_check_archive(ret, path, &common->run, ret_fd, err);
}
