/* bake init: a starter recipe. */
#include <string.h>

#include "embedded/embedded.h"
#include "bake/command/command.h"
#include "io/file.h"

struct init_options {
    const char *like;
};

static const struct option init_rows[] = {
    {"like", 0, STRING_OF(struct init_options, like), "NAME", "the example to start from (flatcar)",
     .choices = "flatcar flannel calico standin"},
    {0},
};
static const struct option_group init_group = {.rows = init_rows};

static int run_init(struct common *common, int argc, char **argv, struct err *err)
{
    struct init_options options = {.like = "flatcar"};
    const char *path = NULL;
    bool done;
    if (common_parse(common, &command_init, &options, argc, argv, &path, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (!path)
        path = "bake.json";
    char name[80];
    snprintf(name, sizeof name, "%.60s.json", options.like);
    const struct embedded_file *example = NULL;
    if (embedded_want("recipes/", name, &example, err) < 0) {
        err->kind = ERR_USAGE;
        return err_wrap(err, "--like %s", options.like);
    }
    cleanup_newfile struct newfile file = NEWFILE_EMPTY;
    if (newfile_open(&file, path, 0644, err) < 0 ||
        file_write(file.fd, example->start, (size_t)(example->end - example->start), path, err) < 0)
        return -1;
    if (newfile_commit(&file, true, err) < 0) {
        if (err->errnum == EEXIST)
            return err_set(err, ERR_USAGE, 0, "%s already exists: give another FILE", path);
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

const struct command command_init = {
    .name = "init",
    .title = "write a starter recipe",
    .usage = "bake init [FILE] [options]",
    .summary = "Writes a commented starter recipe to FILE (bake.json). Nothing is overwritten.",
    .more = "Examples to start from: flatcar, flannel, calico, standin.",
    .options = (const struct option_use[]){{&init_group, 0}, {&common_output_group, 0}, {0}},
    .arguments_max = 1,
    .run = run_init,
};
