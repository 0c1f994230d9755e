/* bake promote: the head of an image family, forward and back. */
#include "bake/command/command.h"
#include "bake/remote/promote.h"

struct promote_options {
    struct session_options session;
    const char *image, *family;
    struct skew_rules rules;
};

static const struct option promote_rows[] = {
    {"family", 0, STRING_OF(struct promote_options, family), "NAME", "the image family"},
    {"rollback", 0, FLAG_OF(struct promote_options, rules.rollback), NULL,
     "back to IMAGE, else to the image that the head replaced"},
    {"skip-minors", 0, FLAG_OF(struct promote_options, rules.skip_minors), NULL,
     "over minor versions: no cluster runs from the family"},
    {0},
};
static const struct option_group promote_group = {.rows = promote_rows};

static int promote_in_session(struct common *common, const struct promote_options *options, struct err *err)
{
    cleanup_session struct session session = {0};
    cleanup_cache struct cache *cache = NULL;
    const struct promote promote = {.family = options->family,
                                    .image = options->image,
                                    .rules = options->rules,
                                    .dry = options->session.dry_run ? &session.dry : NULL};
    struct promote_result result;
    int lock = -1;
    if (session_open(common, &options->session, &session, err) < 0 || common_cache(common, &cache, err) < 0)
        return -1;
    if (!options->session.dry_run && session_lock_family(&session, cache, options->family, &lock, err) < 0)
        return -1;
    int r = promote_image(&session, &promote, &result, err);
    session_unlock_family(&session, cache, options->family, &lock);
    if (r == 0)
        ui_text(&common->ui, "%s\n", result.after);
    return r;
}

static int run_promote(struct common *common, int argc, char **argv, struct err *err)
{
    struct promote_options options = {0};
    bool done;
    if (common_parse(common, &command_promote, &options, argc, argv, &options.image, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (!options.family)
        return err_set(err, ERR_USAGE, 0, "no family: --family NAME says which");
    if (!options.image && !options.rules.rollback)
        return err_set(err, ERR_USAGE, 0, "no image: give its name, as bake push printed it");
    if (options.image && !image_name_ok(options.image))
        return err_set(err, ERR_USAGE, 0, "\"%.100s\" cannot be the name of an image", options.image);
    return promote_in_session(common, &options, err);
}

const struct command command_promote = {
    .name = "promote",
    .title = "make an image the head of its family",
    .usage = "bake promote IMAGE --family NAME [options]\n"
             "       bake promote [IMAGE] --family NAME --rollback [options]",
    .summary = "Makes IMAGE the head of the family: new instances of the family use it. Older\n"
               "images are deprecated, with it as their replacement. The family is never\n"
               "without a head.",
    .more = "The last line of stdout is the name of the family's head.",
    .options = (const struct option_use[]){{&promote_group, 0},
                                           {&session_group, offsetof(struct promote_options, session)},
                                           {&common_network_group, 0},
                                           {&common_cache_group, 0},
                                           {&common_output_group, 0},
                                           {0}},
    .arguments_max = 1,
    .run = run_promote,
};
