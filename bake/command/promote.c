/* bake promote: the head of an image family, forward and back. */
#include "cloud/lifecycle/promote.h"

#include <string.h>

#include "bake/remote/push_options.h"

struct promote_options {
    struct session_options session;
    const char *image, *family;
    bool rollback;
};

static void report(const struct session *session, const char *family, const struct promote_result *result,
                   bool dry)
{
    static const char *const names[] = {"promoted", "unchanged", "overtaken"};
    struct ui *ui = &session->common->ui;
    if (result->outcome == PROMOTE_THERE)
        ui_step(ui, "promote", "%s is the head of %s already", result->image, family);
    else
        ui_step(ui, "promote", "%s is the head of %s; before: %s; %u deprecated", result->after, family,
                result->before[0] ? result->before : "none", result->deprecated);
    struct ui_line line;
    ui_line_open(&line, ui, "promote");
    json_string(&line.json, "result", dry ? "dry-run" : names[result->outcome]);
    json_string(&line.json, "project", session->project);
    json_string(&line.json, "family", family);
    json_string(&line.json, "image", result->image);
    json_string(&line.json, "before", result->before);
    json_string(&line.json, "head", result->after);
    json_uint(&line.json, "deprecated", result->deprecated);
    ui_line_print(&line);
}

int promote_front(const struct session *session, const char *family, const char *image, bool rollback,
                  bool dry, struct promote_result *ret, struct err *err)
{
    const struct promote promote = {.images = session_images(session),
                                    .family = family,
                                    .image = image,
                                    .rollback = rollback,
                                    .dry = dry ? &session->dry : NULL};
    if (promote_run(&promote, ret, err) < 0)
        return -1;
    report(session, family, ret, dry);
    return 0;
}

static int run(struct common *common, const struct promote_options *options, struct err *err)
{
    cleanup_session struct session session = {0};
    cleanup_cache struct cache *cache = NULL;
    struct promote_result result;
    int lock = -1;
    if (session_open(common, &options->session, &session, err) < 0 || common_cache(common, &cache, err) < 0)
        return -1;
    if (!options->session.dry_run && session_lock_family(&session, cache, options->family, &lock, err) < 0)
        return -1;
    int r = promote_front(&session, options->family, options->image, options->rollback,
                          options->session.dry_run, &result, err);
    session_unlock_family(&session, cache, options->family, &lock);
    if (r == 0)
        ui_text(&common->ui, "%s\n", result.after);
    return r;
}

int cmd_promote(struct common *common, int argc, char **argv, struct err *err)
{
    struct promote_options options = {0};
    bool done;
    const struct option_spec specs[] = {
        {"family", 0, OPTION_STRING, &options.family, "NAME", "the image family"},
        {"rollback", 0, OPTION_FLAG, &options.rollback, NULL,
         "back to IMAGE, else to what the head replaced"},
        CLOUD_OPTIONS(&options.session),
        COMMON_NETWORK_OPTIONS(common),
        COMMON_CACHE_OPTIONS(common),
        COMMON_OUTPUT_OPTIONS(common),
        OPTIONS_END,
    };
    const struct command_help help = {
        .usage = "bake promote IMAGE --family NAME [options]\n"
                 "       bake promote [IMAGE] --family NAME --rollback [options]",
        .summary = "Makes IMAGE the head of the family: what is created from the family is created\n"
                   "from it. Images before it are deprecated, with it as their replacement. There\n"
                   "is no moment in which the family has no head.",
        .more = "The last line of stdout is the name of the family's head.",
    };
    if (common_parse(common, argc, argv, &help, specs, &options.image, 1, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (!options.family)
        return err_set(err, ERR_USAGE, 0, "which family? Say --family NAME");
    if (!options.image && !options.rollback)
        return err_set(err, ERR_USAGE, 0, "which image? bake push prints its name");
    if (options.image && !image_name_ok(options.image))
        return err_set(err, ERR_USAGE, 0, "\"%.100s\" cannot be the name of an image", options.image);
    return run(common, &options, err);
}
