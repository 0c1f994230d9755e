/* bake key new | bake key show */
#include <libgen.h>
#include <string.h>

#include "bake/ui/common.h"
#include "io/file.h"
#include "bake/ui/passphrase.h"
#include "seal/sign/key.h"

static int show(struct common *common, const struct minisign_public *key, const char *path)
{
    char text[MINISIGN_PUBLIC_TEXT], id[MINISIGN_ID_HEX];
    minisign_public_text(key, text);
    minisign_id_text(key->id, id);
    ui_text(&common->ui, "%s\n", text);
    struct ui_line line;
    ui_line_open(&line, &common->ui, "key");
    json_string(&line.json, "file", path);
    json_string(&line.json, "id", id);
    json_string(&line.json, "public", text);
    ui_line_print(&line);
    return 0;
}

static int make_folder_of(const char *path, struct err *err)
{
    cleanup_free char *copy = strdup(path);
    if (!copy)
        return err_oom(err);
    return file_mkdirs(dirname(copy), 0700, err);
}

static int run_new(struct common *common, const char *path, struct passphrase_options *passphrase, bool plain,
                   struct err *err)
{
    if (plain && (passphrase->file || passphrase->fd != UINT64_MAX))
        return err_set(err, ERR_USAGE, 0, "--no-passphrase contradicts a given passphrase");
    if (make_folder_of(path, err) < 0)
        return -1;
    passphrase->twice = true;
    struct passphrase_source source = passphrase_source(passphrase);
    struct minisign_public key;
    if (key_new(path, plain ? NULL : &source, NULL, &key, err) < 0)
        return -1;
    cleanup_free char *public_path = key_public_path(path);
    if (!public_path)
        return err_oom(err);
    ui_step(&common->ui, "key", "%s holds the secret%s, %s what others need to verify", path,
            plain ? ", unencrypted" : "", public_path);
    return show(common, &key, public_path);
}

static int run_show(struct common *common, const char *path, struct err *err)
{
    cleanup_free char *public_path = key_public_path(path);
    if (!public_path)
        return err_oom(err);
    struct minisign_public key;
    if (key_public_load(public_path, &key, err) < 0)
        return -1;
    return show(common, &key, public_path);
}

int cmd_key(struct common *common, int argc, char **argv, struct err *err)
{
    const char *path = NULL;
    bool plain = false, done;
    struct passphrase_options passphrase = PASSPHRASE_NONE;
    const struct option_spec specs[] = {
        {"key", 'k', OPTION_STRING, &path, "FILE", "secret key, else $XDG_CONFIG_HOME/bake/bake.key"},
        {"no-passphrase", 0, OPTION_FLAG, &plain, NULL, "new: leave the key unencrypted"},
        PASSPHRASE_OPTIONS(&passphrase),
        COMMON_OUTPUT_OPTIONS(common),
        OPTIONS_END,
    };
    const struct command_help help = {
        .usage = "bake key new|show [options]",
        .summary = "Makes a signing key in minisign's format, or prints the public half of one.\n"
                   "An existing key is never overwritten.",
    };
    const char *verb = NULL;
    if (common_parse(common, argc, argv, &help, specs, &verb, 1, &done, err) < 0 || done)
        return done ? 0 : -1;
    cleanup_free char *fallback = NULL;
    if (!path) {
        if (dir_default("XDG_CONFIG_HOME", ".config", "bake/bake.key", &fallback, err) < 0)
            return -1;
        path = fallback;
    }
    if (verb && strcmp(verb, "new") == 0)
        return run_new(common, path, &passphrase, plain, err);
    if (verb && strcmp(verb, "show") == 0)
        return run_show(common, path, err);
    return err_set(err, ERR_USAGE, 0, "say \"bake key new\" or \"bake key show\"");
}
