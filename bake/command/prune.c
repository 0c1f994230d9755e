/* bake prune: deletes old images of one family, and what only they needed in the bucket. */
#include "cloud/lifecycle/prune.h"

#include <time.h>

#include "bake/command/command.h"
#include "bake/remote/session.h"

enum { SAFETY_HOURS = 24, DAY_MS = 24 * 3600 * 1000, DAYS_MAX = 36500 };

struct prune_options {
    struct session_options session;
    const char *family;
    uint64_t keep, older_days, safety_hours;
    struct option_list labels;
};

static const struct option prune_rows[] = {
    {"family", 0, STRING_OF(struct prune_options, family), "NAME", "the image family; no other is touched"},
    {"keep", 0, UINT_OF(struct prune_options, keep), "N", "keep the N newest images, and always the head"},
    {"older-than", 0, UINT_OF(struct prune_options, older_days), "DAYS",
     "delete only images older than that"},
    {"label", 0, PAIRS_OF(struct prune_options, labels), "K=V", "delete only images with this label"},
    {"safety-age", 0, UINT_OF(struct prune_options, safety_hours), "HOURS", "keep younger objects (24)"},
    {0},
};
static const struct option_group prune_group = {.rows = prune_rows};

static void report_prune(const struct session *session, const struct prune_options *options,
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

static void report_left(void *ctx, const char *image, const char *why)
{
    struct ui *ui = ctx;
    struct ui_line line;
    ui_step(ui, "prune", "left alone: %s: %s", image, why);
    ui_line_open(&line, ui, "left");
    json_string(&line.json, "image", image);
    json_string(&line.json, "why", why);
    ui_line_print(&line);
}

static int prune_in_session(struct common *common, const struct prune_options *options, struct err *err)
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
                          .left = {report_left, &common->ui}};
    if (session_labels(&options->labels, "label", &arena, labels, &prune.label_count, OPTION_LIST_MAX, err) <
        0)
        return -1;
    if (!options->session.dry_run && session_lock_family(&session, cache, options->family, &lock, err) < 0)
        return -1;
    int r = prune_run(&prune, &result, err);
    session_unlock_family(&session, cache, options->family, &lock);
    if (r == 0)
        report_prune(&session, options, &result);
    return r;
}

static int run_prune(struct common *common, int argc, char **argv, struct err *err)
{
    struct prune_options options = {.older_days = UINT64_MAX, .safety_hours = SAFETY_HOURS};
    bool done;
    if (common_parse(common, &command_prune, &options, argc, argv, NULL, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (!options.family || options.keep == 0 || options.older_days == UINT64_MAX)
        return err_set(err, ERR_USAGE, 0,
                       "--family NAME, --keep N (at least 1) and --older-than DAYS are all needed");
    if (options.older_days > DAYS_MAX || options.safety_hours > DAYS_MAX)
        return err_set(err, ERR_USAGE, 0, "--older-than and --safety-age are at most %d", DAYS_MAX);
    return prune_in_session(common, &options, err);
}

const struct command command_prune = {
    .name = "prune",
    .title = "delete old images and what they needed",
    .usage = "bake prune --family NAME --keep N --older-than DAYS [options]",
    .summary = "Deprecates, then deletes old images that bake pushed for the family. With\n"
               "--bucket also removes archives whose image is gone, and segments that no\n"
               "remaining package needs.",
    .more = "Images that were never promoted are counted separately, by the same rule. The\n"
            "family's images are those in it and those pushed for it; those that bake did\n"
            "not push are listed and left alone. Finding none at all is an error. --dry-run\n"
            "shows what would be deleted.",
    .options = (const struct option_use[]){{&prune_group, 0},
                                           {&bucket_group, offsetof(struct prune_options, session)},
                                           {&session_group, offsetof(struct prune_options, session)},
                                           {&common_network_group, 0},
                                           {&common_cache_group, 0},
                                           {&common_output_group, 0},
                                           {0}},
    .run = run_prune,
};
