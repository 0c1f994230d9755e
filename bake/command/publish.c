#include "bake/command/publish.h"

#include <string.h>

#include "bake/remote/push_package.h"
#include "bake/trial/trial.h"

static const struct option publish_rows[] = {
    {"test", 0, FLAG_OF(struct publish_options, do_test), NULL,
     "boot it, as bake test does, before it is pushed"},
    {"test-timeout", 0, UINT_OF(struct publish_options, test_timeout_s), "SECONDS", "limit for that (600)"},
    {"push", 0, FLAG_OF(struct publish_options, do_push), NULL, "then push it, as bake push does"},
    {"promote", 0, FLAG_OF(struct publish_options, do_promote), NULL, "then make it the head of its family"},
    {"skip-minors", 0, FLAG_OF(struct publish_options, rules.skip_minors), NULL,
     "over minor versions: no cluster runs from the family"},
    {"unchanged-exit", 0, UINT_OF(struct publish_options, unchanged_exit), "N",
     "exit code when nothing is new (0)"},
    {0},
};
const struct option_group publish_group = {.title = "Publishing", .rows = publish_rows};

int publish_options_check(const struct publish_options *options, struct err *err)
{
    if (options->do_promote && !options->do_push)
        return err_set(err, ERR_USAGE, 0, "--promote needs --push");
    if (options->rules.skip_minors && !options->do_promote)
        return err_set(err, ERR_USAGE, 0, "--skip-minors needs --promote");
    if (options->push.session.dry_run && !options->do_push)
        return err_set(err, ERR_USAGE, 0, "--dry-run needs --push: bake plan shows what an image would hold");
    if (options->unchanged_exit > 255)
        return err_set(err, ERR_USAGE, 0, "--unchanged-exit is 0 to 255");
    return options->do_push ? push_options_check(&options->push, err) : 0;
}

static int test_manifest(struct common *common, const struct publish_options *options, const char *manifest,
                         const struct signing_key *key, struct err *err)
{
    struct trial_options test = TRIAL_OPTIONS_DEFAULT;
    char public_key[MINISIGN_PUBLIC_TEXT];
    test.package.package = manifest;
    test.package.unsigned_package = !key;
    if (key) {
        minisign_public_text(&key->public, public_key);
        test.package.public_key = public_key;
    }
    if (options->test_timeout_s)
        test.timeout_s = options->test_timeout_s;
    return trial_package(common, &test, err);
}

/* True if nothing is left to do: the family's head, or without --promote the registered image, is this very
 * package. */
static int is_there(const struct publish_options *options, const struct push_package *pushing, bool *ret,
                    struct err *err)
{
    cleanup_image_list struct image_list list = {0};
    const struct push *push = &pushing->push;
    char name[IMAGE_NAME_MAX + 1], digest[PACKAGE_LABEL];
    push_image_name(pushing->package.name, name);
    push_label(&pushing->sealed, digest);
    if ((options->do_promote ? images_head(&push->images, push->family, &list, err)
                             : images_get(&push->images, name, &list, err)) < 0)
        return -1;
    const char *has = list.count ? image_label(&list.items[0], LABEL_PACKAGE) : NULL;
    *ret = has && strcmp(has, digest) == 0 && strcmp(list.items[0].name, name) == 0 &&
           list.items[0].status == IMAGE_READY;
    return 0;
}

static int push_and_promote(struct common *common, const struct publish_options *options,
                            const struct push_package *pushing, const struct session *session,
                            struct cache *cache, const char *manifest, const struct signing_key *key,
                            bool *ret_new, struct err *err)
{
    struct push_result pushed;
    struct promote_result promoted;
    bool there = false;
    if (is_there(options, pushing, &there, err) < 0)
        return -1;
    if (!there && options->do_promote && promote_check(&pushing->push, options->rules, err) < 0)
        return -1;
    if (!there && options->do_test && test_manifest(common, options, manifest, key, err) < 0)
        return -1;
    if (push_package_run(pushing, session, cache, &pushed, err) < 0) /* checks again, and corrects labels */
        return -1;
    *ret_new = pushed.outcome == PUSH_DONE;
    if (!options->do_promote || pushed.outcome == PUSH_DRY)
        return 0;
    const struct promote promote = {
        .family = pushing->push.family, .image = pushed.image, .rules = options->rules};
    if (promote_image(session, &promote, &promoted, err) < 0)
        return -1;
    *ret_new = *ret_new || promoted.outcome == PROMOTE_DONE;
    return 0;
}

int publish_run(struct common *common, const struct publish_options *options, const char *manifest,
                const struct signing_key *key, bool *ret_new, struct err *err)
{
    cleanup_session struct session session = {0};
    cleanup_cache struct cache *cache = NULL;
    cleanup_push_package struct push_package pushing = PUSH_PACKAGE_EMPTY;
    int lock = -1;
    *ret_new = false;
    if (!options->do_push) {
        *ret_new = options->do_test;
        return options->do_test ? test_manifest(common, options, manifest, key, err) : 0;
    }
    if (package_open(manifest, key ? &key->public : NULL, &pushing.package, &pushing.sealed, err) < 0 ||
        package_check_archive(&pushing.package, manifest, &common->run, &pushing.fd, err) < 0 ||
        session_open(common, &options->push.session, &session, err) < 0 ||
        common_cache(common, &cache, err) < 0 ||
        push_package_prepare(&options->push, &session, &pushing, err) < 0)
        return -1;
    const char *family = pushing.push.family;
    if (options->do_promote && !family)
        return err_set(err, ERR_USAGE, 0, "--promote needs a family: --family, or the recipe's image.family");
    if (family && !options->push.session.dry_run &&
        session_lock_family(&session, cache, family, &lock, err) < 0)
        return -1;
    int r = push_and_promote(common, options, &pushing, &session, cache, manifest, key, ret_new, err);
    session_unlock_family(&session, cache, family ? family : "", &lock);
    return r;
}
