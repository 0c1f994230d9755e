/* bake prune: old images of one family, and what nobody needs of the bucket. */
#include "cloud/lifecycle/prune.h"

#include <string.h>
#include <time.h>

#include "bake/remote/push_options.h"

enum { SAFETY_HOURS = 24, DAY_MS = 24 * 3600 * 1000, DAYS_MAX = 36500 };

struct prune_options {
    struct session_options session;
    const char *family;
    uint64_t keep, older_days, safety_hours;
    struct option_list labels;
};

static void report(const struct session *session, const struct prune_options *options,
                   const struct prune_result *result)
{
    struct ui *ui = &session->common->ui;
    char bytes[16];
    ui_bytes(result->bytes, bytes);
    ui_step(ui, "prune", "%s%u images deleted, %u kept; %llu objects of the bucket, %s",
            options->session.dry_run ? "dry run: " : "", result->images, result->kept,
            (unsigned long long)result->objects, bytes);
    if (result->retained > 0)
        ui_step(ui, "prune", "%llu objects stay: the bucket's retention policy or a hold keeps them",
                (unsigned long long)result->retained);
    struct ui_line line;
    ui_line_open(&line, ui, "prune");
    json_string(&line.json, "result",
                options->session.dry_run            ? "dry-run"
                : result->images || result->objects ? "pruned"
                                                    : "unchanged");
    json_string(&line.json, "family", options->family);
    json_uint(&line.json, "images", result->images);
    json_uint(&line.json, "kept", result->kept);
    json_uint(&line.json, "left", result->left);
    json_uint(&line.json, "packages", result->packages);
    json_uint(&line.json, "objects", result->objects);
    json_uint(&line.json, "bytes", result->bytes);
    json_uint(&line.json, "retained", result->retained);
    ui_line_print(&line);
}

static void tell_left(void *ctx, const char *image, const char *why)
{
    struct ui *ui = ctx;
    struct ui_line line;
    ui_step(ui, "prune", "left alone: %s: %s", image, why);
    ui_line_open(&line, ui, "left");
    json_string(&line.json, "image", image);
    json_string(&line.json, "why", why);
    ui_line_print(&line);
}

static int run(struct common *common, const struct prune_options *options, struct err *err)
{
    cleanup_session struct session session = {0};
    cleanup_cache struct cache *cache = NULL;
    cleanup_arena struct arena arena = {0};
    struct label labels[OPTION_LIST_MAX];
    struct prune_result result;
    int lock = -1;
    if (session_open(common, &options->session, &session, err) < 0 || common_cache(common, &cache, err) < 0)
        return -1;
    const struct storage storage = session_storage(&session, &options->session);
    struct prune prune = {.images = session_images(&session),
                          .storage = options->session.bucket ? &storage : NULL,
                          .prefix = session.prefix,
                          .family = options->family,
                          .labels = labels,
                          .keep = options->keep,
                          .older_ms = (int64_t)options->older_days * DAY_MS,
                          .safety_ms = (int64_t)options->safety_hours * 3600 * 1000,
                          .now_ms = (int64_t)time(NULL) * 1000,
                          .dry = options->session.dry_run ? &session.dry : NULL,
                          .left = {tell_left, &common->ui}};
    if (session_labels(&options->labels, "label", &arena, labels, &prune.label_count, OPTION_LIST_MAX, err) <
        0)
        return -1;
    if (!options->session.dry_run && session_lock_family(&session, cache, options->family, &lock, err) < 0)
        return -1;
    int r = prune_run(&prune, &result, err);
    session_unlock_family(&session, cache, options->family, &lock);
    if (r == 0)
        report(&session, options, &result);
    return r;
}

int cmd_prune(struct common *common, int argc, char **argv, struct err *err)
{
    struct prune_options options = {.older_days = UINT64_MAX, .safety_hours = SAFETY_HOURS};
    bool done;
    const struct option_spec specs[] = {
        {"family", 0, OPTION_STRING, &options.family, "NAME", "the image family; no other is touched"},
        {"keep", 0, OPTION_UINT, &options.keep, "N", "the N newest stay, and always the head"},
        {"older-than", 0, OPTION_UINT, &options.older_days, "DAYS", "only images older than that go"},
        {"label", 0, OPTION_PAIRS, &options.labels, "K=V", "only images with this label"},
        {"safety-age", 0, OPTION_UINT, &options.safety_hours, "HOURS", "younger objects stay (24)"},
        BUCKET_OPTIONS(&options.session),
        CLOUD_OPTIONS(&options.session),
        COMMON_NETWORK_OPTIONS(common),
        COMMON_CACHE_OPTIONS(common),
        COMMON_OUTPUT_OPTIONS(common),
        OPTIONS_END,
    };
    const struct command_help help = {
        .usage = "bake prune --family NAME --keep N --older-than DAYS [options]",
        .summary = "Deprecates, then deletes old images that bake pushed for the family. With\n"
                   "--bucket also removes archives whose image is gone, and segments that no\n"
                   "remaining package needs.",
        .more = "Images that never were promoted are counted apart, by the same rule. Of the\n"
                "family is what is in it, or was pushed for it; what bake did not push is told\n"
                "and left alone. No such image at all is an error. --dry-run shows what would go.",
    };
    if (common_parse(common, argc, argv, &help, specs, NULL, 0, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (!options.family || options.keep == 0 || options.older_days == UINT64_MAX)
        return err_set(err, ERR_USAGE, 0,
                       "prune wants --family NAME, --keep N (at least 1) and --older-than DAYS, all three");
    if (options.older_days > DAYS_MAX || options.safety_hours > DAYS_MAX)
        return err_set(err, ERR_USAGE, 0, "--older-than and --safety-age are at most %d", DAYS_MAX);
    return run(common, &options, err);
}
