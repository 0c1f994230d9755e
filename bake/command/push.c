/* bake push: registers a package as an image of a project. */
#include "bake/command/command.h"
#include "bake/remote/package_file.h"
#include "bake/remote/promote.h"
#include "bake/remote/push_package.h"

struct push_command {
    struct push_options push;
    struct package_options package;
    bool promote;
    struct skew_rules rules;
};

static const struct option promote_rows[] = {
    {"promote", 0, FLAG_OF(struct push_command, promote), NULL, "then make it the head of its family"},
    {"skip-minors", 0, FLAG_OF(struct push_command, rules.skip_minors), NULL,
     "over minor versions: no cluster runs from the family"},
    {0},
};
static const struct option_group promote_group = {.rows = promote_rows};

static int push_and_promote(const struct push_command *options, const struct push_package *pushing,
                            const struct session *session, struct cache *cache, struct push_result *ret,
                            struct err *err)
{
    struct promote_result promoted;
    if (options->promote && promote_check(&pushing->push, options->rules, err) < 0)
        return -1;
    if (push_package_run(pushing, session, cache, ret, err) < 0)
        return -1;
    if (!options->promote || ret->outcome == PUSH_DRY)
        return 0;
    const struct promote promote = {
        .family = pushing->push.family, .image = ret->image, .rules = options->rules};
    return promote_image(session, &promote, &promoted, err);
}

static int push_in_session(struct common *common, const struct push_command *options, struct err *err)
{
    cleanup_session struct session session = {0};
    cleanup_cache struct cache *cache = NULL;
    cleanup_push_package struct push_package pushing = PUSH_PACKAGE_EMPTY;
    struct push_result result;
    int lock = -1;
    if (package_file_open(common, &options->package, "push", &pushing.package, &pushing.sealed, &pushing.fd,
                          err) < 0 ||
        session_open(common, &options->push.session, &session, err) < 0 ||
        common_cache(common, &cache, err) < 0 ||
        push_package_prepare(&options->push, &session, &pushing, err) < 0)
        return -1;
    const char *family = pushing.push.family;
    if (options->promote && !family)
        return err_set(err, ERR_USAGE, 0, "--promote needs a family: --family, or the recipe's");
    if (options->promote && !options->push.session.dry_run &&
        session_lock_family(&session, cache, family, &lock, err) < 0)
        return -1;
    int r = push_and_promote(options, &pushing, &session, cache, &result, err);
    session_unlock_family(&session, cache, family ? family : "", &lock);
    if (r == 0)
        ui_text(&common->ui, "%s\n", result.image);
    return r;
}

static int run_push(struct common *common, int argc, char **argv, struct err *err)
{
    struct push_command options = {0};
    bool done;
    if (common_parse(common, &command_push, &options, argc, argv, &options.package.package, &done, err) < 0 ||
        done)
        return done ? 0 : -1;
    if (options.rules.skip_minors && !options.promote)
        return err_set(err, ERR_USAGE, 0, "--skip-minors needs --promote");
    if (package_options_check(&options.package, err) < 0 || push_options_check(&options.push, err) < 0)
        return -1;
    return push_in_session(common, &options, err);
}

const struct command command_push = {
    .name = "push",
    .title = "upload a package, register it as an image",
    .usage = "bake push PACKAGE --bucket NAME [options]",
    .summary = "Uploads the parts of PACKAGE (NAME.manifest.json, or NAME.tar.gz beside it) that\n"
               "the bucket lacks, and registers it as an image, in no family yet. A package that\n"
               "is already registered is not sent again; an interrupted push continues.",
    .more = "The last line of stdout is the image's name. Credentials, in this order:\n"
            "--access-token-file, $GOOGLE_APPLICATION_CREDENTIALS, gcloud's application\n"
            "default credentials, the metadata server. bake(1) lists the roles they need.",
    .options = (const struct option_use[]){{&promote_group, 0},
                                           {&push_group, offsetof(struct push_command, push)},
                                           {&bucket_group, offsetof(struct push_command, push.session)},
                                           {&session_group, offsetof(struct push_command, push.session)},
                                           {&package_group, offsetof(struct push_command, package)},
                                           {&common_network_group, 0},
                                           {&common_cache_group, 0},
                                           {&common_output_group, 0},
                                           {0}},
    .arguments_max = 1,
    .run = run_push,
};
