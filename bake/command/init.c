/* bake init: a starter recipe. */
#include <string.h>

#include "embedded/embedded.h"
#include "bake/ui/common.h"
#include "io/file.h"

int cmd_init(struct common *common, int argc, char **argv, struct err *err)
{
    const char *kind = "flatcar";
    bool done;
    const struct option_spec specs[] = {
        {"like", 0, OPTION_STRING, &kind, "NAME", "the example to start from (flatcar)"},
        COMMON_OUTPUT_OPTIONS(common),
        OPTIONS_END,
    };
    const struct command_help help = {
        .usage = "bake init [FILE] [options]",
        .summary = "Writes a commented starter recipe to FILE (bake.json). Nothing is overwritten.",
        .more = "Examples to start from: flatcar, coreos-hyperkube, standin.",
    };
    const char *path = NULL;
    if (common_parse(common, argc, argv, &help, specs, &path, 1, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (!path)
        path = "bake.json";
    char name[80];
    snprintf(name, sizeof name, "%.60s.json", kind);
    const struct embedded_file *example = NULL;
    if (embedded_want("recipes/", name, &example, err) < 0) {
        err->kind = ERR_USAGE;
        return err_wrap(err, "--like %s", kind);
    }
    cleanup_newfile struct newfile file = NEWFILE_EMPTY;
    if (newfile_open(&file, path, 0644, err) < 0 ||
        file_write(file.fd, example->start, (size_t)(example->end - example->start), path, err) < 0)
        return -1;
    if (newfile_commit(&file, true, err) < 0) {
        if (err->errnum == EEXIST)
            return err_set(err, ERR_USAGE, 0, "%s is there already: give another FILE", path);
        return -1;
    }
    ui_step(&common->ui, "init", "wrote %s: edit it, then run bake lock %s", path, path);
    ui_text(&common->ui, "%s\n", path);
    struct ui_line line;
    ui_line_open(&line, &common->ui, "recipe");
    json_string(&line.json, "file", path);
    ui_line_print(&line);
    return 0;
}
