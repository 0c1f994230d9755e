/* bake push: a package becomes an image of a project. */
#include <string.h>

#include "cloud/lifecycle/promote.h"
#include "cloud/upload/state.h"
#include "bake/remote/push_options.h"

static const char *outcome_name(enum push_outcome outcome)
{
    static const char *const names[] = {"pushed", "unchanged", "dry-run"};
    return names[outcome];
}

static void report(const struct pushing *pushing, const struct session *session,
                   const struct push_result *result)
{
    struct ui *ui = &session->common->ui;
    const struct upload_counts *counts = &result->counts;
    char sent[16], all[16];
    ui_bytes(counts->bytes_sent, sent);
    ui_bytes(counts->bytes, all);
    if (result->outcome == PUSH_THERE)
        ui_step(ui, "push", "%s is registered in %s already: nothing was sent", result->image,
                session->project);
    else if (result->archive_there)
        ui_step(ui, "push", "%s: the archive was in the bucket already", result->image);
    else
        ui_step(ui, "push", "%s: %llu of %llu parts, %s of %s", result->image,
                (unsigned long long)counts->parts_sent, (unsigned long long)counts->parts, sent, all);
    struct ui_line line;
    ui_line_open(&line, ui, "push");
    json_string(&line.json, "result", outcome_name(result->outcome));
    json_string(&line.json, "project", session->project);
    json_string(&line.json, "image", result->image);
    if (pushing->push.family)
        json_string(&line.json, "family", pushing->push.family);
    json_string(&line.json, "bucket", pushing->push.storage.bucket);
    json_uint(&line.json, "parts", counts->parts);
    json_uint(&line.json, "parts_sent", counts->parts_sent);
    json_uint(&line.json, "bytes", counts->bytes);
    json_uint(&line.json, "bytes_sent", counts->bytes_sent);
    ui_line_print(&line);
}

int pushing_run(const struct pushing *pushing, const struct session *session, struct cache *cache,
                struct push_result *ret, struct err *err)
{
    cleanup_state struct push_state state = PUSH_STATE_EMPTY;
    cleanup_buf struct buf identity = BUF_INIT(4096);
    const struct push *push = &pushing->push;
    if (!push->dry && (push_identity(push, &identity, err) < 0 ||
                       state_open(cache, identity.data, &session->common->run, &state, err) < 0))
        return -1;
    ui_step(&session->common->ui, "push", "%s to gs://%s/%s", pushing->package.name, push->storage.bucket,
            push->prefix);
    if (push_run(push, &state, ret, err) < 0)
        return err_wrap(err, "%s", pushing->package.name);
    report(pushing, session, ret);
    return 0;
}

struct push_command {
    struct push_options push;
    struct package_options package;
    bool promote;
};

static int run(struct common *common, const struct push_command *options, struct err *err)
{
    cleanup_session struct session session = {0};
    cleanup_cache struct cache *cache = NULL;
    cleanup_pushing struct pushing pushing = PUSHING_EMPTY;
    struct push_result result;
    struct promote_result promoted;
    int lock = -1;
    if (package_file_open(common, &options->package, "push", &pushing.package, &pushing.sealed, &pushing.fd,
                          err) < 0 ||
        session_open(common, &options->push.session, &session, err) < 0 ||
        common_cache(common, &cache, err) < 0 || pushing_prepare(&options->push, &session, &pushing, err) < 0)
        return -1;
    const char *family = pushing.push.family;
    if (options->promote && !family)
        return err_set(err, ERR_USAGE, 0, "--promote needs a family: --family, or the recipe's");
    if (options->promote && !options->push.session.dry_run &&
        session_lock_family(&session, cache, family, &lock, err) < 0)
        return -1;
    int r = pushing_run(&pushing, &session, cache, &result, err);
    if (r == 0 && options->promote && result.outcome != PUSH_DRY)
        r = promote_front(&session, family, result.image, false, false, &promoted, err);
    session_unlock_family(&session, cache, family ? family : "", &lock);
    if (r == 0)
        ui_text(&common->ui, "%s\n", result.image);
    return r;
}

int cmd_push(struct common *common, int argc, char **argv, struct err *err)
{
    struct push_command options = {0};
    bool done;
    const struct option_spec specs[] = {
        PUSH_OPTIONS(&options.push),
        {"promote", 0, OPTION_FLAG, &options.promote, NULL, "then make it the family's head"},
        PACKAGE_OPTIONS(&options.package),
        COMMON_NETWORK_OPTIONS(common),
        COMMON_CACHE_OPTIONS(common),
        COMMON_OUTPUT_OPTIONS(common),
        OPTIONS_END,
    };
    const struct command_help help = {
        .usage = "bake push PACKAGE --bucket NAME [options]",
        .summary = "Uploads what the bucket lacks of PACKAGE (NAME.manifest.json, or NAME.tar.gz\n"
                   "beside it) and registers it as an image, in no family yet. A package that is\n"
                   "registered already is not sent again; a push that was interrupted goes on.",
        .more = "The last line of stdout is the image's name. Credentials, in this order:\n"
                "--access-token-file, $GOOGLE_APPLICATION_CREDENTIALS, gcloud's application\n"
                "default credentials, the metadata server. See bake(1) for the roles it takes.",
    };
    if (common_parse(common, argc, argv, &help, specs, &options.package.package, 1, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (package_options_check(&options.package, err) < 0 || push_options_check(&options.push, err) < 0)
        return -1;
    return run(common, &options, err);
}
