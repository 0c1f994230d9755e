/* bake key new | bake key show */
#include <libgen.h>
#include <string.h>

#include "bake/command/command.h"
#include "io/file.h"
#include "bake/ui/passphrase.h"
#include "seal/sign/key.h"

struct key_command {
    struct key_options key;
    bool no_passphrase;
};

static const struct option new_rows[] = {
    {"no-passphrase", 0, FLAG_OF(struct key_command, no_passphrase), NULL, "new: leave the key unencrypted"},
    {0},
};
static const struct option_group new_group = {.rows = new_rows};

static int print_public_key(struct common *common, const struct minisign_public *key, const char *path)
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

static int make_key(struct common *common, const char *path, struct passphrase_options *passphrase,
                    bool plain, struct err *err)
{
    if (plain && (passphrase->file || passphrase->fd != UINT64_MAX))
        return err_set(err, ERR_USAGE, 0,
                       "--no-passphrase contradicts --passphrase-file and --passphrase-fd");
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
    ui_step(&common->ui, "key", "%s holds the secret%s; others verify with %s", path,
            plain ? ", unencrypted" : "", public_path);
    return print_public_key(common, &key, public_path);
}

static int show_key(struct common *common, const char *path, struct err *err)
{
    cleanup_free char *public_path = key_public_path(path);
    if (!public_path)
        return err_oom(err);
    struct minisign_public key;
    if (key_public_load(public_path, &key, err) < 0)
        return -1;
    return print_public_key(common, &key, public_path);
}

static int run_key(struct common *common, int argc, char **argv, struct err *err)
{
    struct key_command options = {.key = KEY_OPTIONS_DEFAULT};
    const char *verb = NULL;
    bool done;
    if (common_parse(common, &command_key, &options, argc, argv, &verb, &done, err) < 0 || done)
        return done ? 0 : -1;
    const char *path = options.key.path;
    cleanup_free char *fallback = NULL;
    if (!path) {
        if (dir_default("XDG_CONFIG_HOME", ".config", "bake/bake.key", &fallback, err) < 0)
            return -1;
        path = fallback;
    }
    if (verb && strcmp(verb, "new") == 0)
        return make_key(common, path, &options.key.passphrase, options.no_passphrase, err);
    if (verb && strcmp(verb, "show") == 0)
        return show_key(common, path, err);
    return err_set(err, ERR_USAGE, 0, "use \"bake key new\" or \"bake key show\"");
}

const struct command command_key = {
    .name = "key",
    .title = "make or show a signing key",
    .usage = "bake key new|show [options]",
    .summary = "Makes a signing key in minisign's format, or prints the public half of one.\n"
               "An existing key is never overwritten.",
    .options =
        (const struct option_use[]){
            {&new_group, 0}, {&key_group, offsetof(struct key_command, key)}, {&common_output_group, 0}, {0}},
    .arguments_max = 1,
    .argument_choices = "new show",
    .run = run_key,
};
