#include "cloud/lifecycle/prune.h"

#include <string.h>

#include "cloud/compute/url.h"
#include "cloud/lifecycle/prune_bucket.h"
#include "cloud/push/names.h"

/* By family alone: an image that lacks one of the labels asked for is reported. */
static int list_family(const struct prune *prune, struct image_list *ret, struct err *err)
{
    char filter[2 * IMAGE_NAME_MAX + 64];
    snprintf(filter, sizeof filter, "(family=%.63s) OR (labels." LABEL_FAMILY "=%.63s)", prune->family,
             prune->family);
    return images_list(&prune->images, filter, ret, err);
}

/* Why an image is left alone; NULL: it is not. The server has filtered already, but nothing is deleted on its
 * word. */
static const char *why_left(const struct prune *prune, const struct image *image)
{
    const char *family = image_label(image, LABEL_FAMILY);
    bool in_family = strcmp(image->family, prune->family) == 0;
    if (!image_label(image, LABEL_PACKAGE))
        return "bake did not push it";
    if (family ? strcmp(family, prune->family) != 0 : !in_family)
        return "it was pushed for another family";
    if (image->family[0] && !in_family)
        return "it is in another family";
    for (size_t i = 0; i < prune->label_count; i++) {
        const char *value = image_label(image, prune->labels[i].key);
        if (!value || strcmp(value, prune->labels[i].value) != 0)
            return "it lacks a label asked for";
    }
    return NULL;
}

static int unknown_family(const struct prune *prune, size_t images, struct err *err)
{
    const char *project = prune->images.project;
    if (images == 0)
        return err_set(
            err, ERR_REMOTE, 0,
            "the project %s has no image of the family %s, and bake pushed none for it: is the name right?",
            project, prune->family);
    return err_set(err, ERR_REMOTE, 0, "none of the %zu images of the family %s in the project %s %s", images,
                   prune->family, project,
                   prune->label_count ? "was pushed by bake and has every label asked for: is --label right?"
                                      : "was pushed by bake: nothing is deleted");
}

/* Which images this run deletes. */
struct selection {
    struct image_list list; /* the family, newest first */
    bool *doomed;           /* one for each */
    bool known;             /* the family has images that bake pushed, with the labels asked for */
};

static void selection_free(struct selection *selection)
{
    image_list_free(&selection->list);
    free(selection->doomed);
}

static int select_images(const struct prune *prune, const struct image *head, struct prune_result *result,
                         struct selection *ret, struct err *err)
{
    uint64_t promoted = 0, others = 0;
    if (list_family(prune, &ret->list, err) < 0)
        return -1;
    ret->doomed = calloc(ret->list.count + 1, sizeof *ret->doomed);
    if (!ret->doomed)
        return err_oom(err);
    for (size_t i = 0; i < ret->list.count; i++) {
        const struct image *image = &ret->list.items[i];
        const char *why = why_left(prune, image);
        if (why) {
            prune->left.report(prune->left.ctx, image->name, why);
            result->left++;
            continue;
        }
        ret->known = true;
        bool recent = (image->family[0] ? promoted++ : others++) < prune->keep;
        bool is_head = head && strcmp(head->name, image->name) == 0;
        ret->doomed[i] = !recent && !is_head && image->status != IMAGE_PENDING &&
                         prune->now_ms - image->created_ms > prune->older_ms;
        result->kept += !ret->doomed[i];
    }
    return 0;
}

/* Deprecates it first: from then on no reader of the family gets it, whatever becomes of the head. A rollback
 * in between makes it active again, and then it stays. */
static int delete_image(const struct prune *prune, const struct image *image, const struct image *head,
                        bool *ret_gone, struct err *err)
{
    cleanup_image_list struct image_list now = {0}, head_now = {0};
    *ret_gone = false;
    if (image->state == IMAGE_ACTIVE && images_deprecate(&prune->images, image->name, IMAGE_DEPRECATED,
                                                         head ? head->self_link : NULL, err) < 0)
        return -1;
    if (images_head(&prune->images, prune->family, &head_now, err) < 0 ||
        images_get(&prune->images, image->name, &now, err) < 0)
        return -1;
    if (now.count == 0) {
        *ret_gone = true; /* another prune deleted it */
        return 0;
    }
    if (now.items[0].state == IMAGE_ACTIVE ||
        (head_now.count > 0 && strcmp(head_now.items[0].name, image->name) == 0)) {
        run_warn(prune->images.api.run, "prune", "image %s has become active again: it stays", image->name);
        return 0;
    }
    *ret_gone = true;
    return images_delete(&prune->images, image->name, err);
}

static int report_image(const struct prune *prune, const struct image *image, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    if (images_url(&prune->images, image->name, NULL, &url, err) < 0)
        return -1;
    dry_run_report(prune->dry, "DELETE", url.data,
                   image->family[0] ? "deprecated first" : "never promoted; deprecated first");
    return 0;
}

/* The oldest first. */
static int delete_images(const struct prune *prune, const struct selection *selection,
                         const struct image *head, struct prune_result *result, struct err *err)
{
    for (size_t i = selection->list.count; i-- > 0;) {
        const struct image *image = &selection->list.items[i];
        bool gone = true;
        if (!selection->doomed[i])
            continue;
        if ((prune->dry ? report_image(prune, image, err) : delete_image(prune, image, head, &gone, err)) < 0)
            return -1;
        result->images += gone;
        result->kept += !gone;
    }
    return 0;
}

int prune_run(const struct prune *prune, struct prune_result *ret, struct err *err)
{
    struct prune_result made = {0};
    cleanup_image_list struct image_list head_list = {0};
    cleanup(selection_free) struct selection selection = {0};
    cleanup_bucket_survey struct bucket_survey survey = {0};

    if (images_head(&prune->images, prune->family, &head_list, err) < 0)
        return -1;
    const struct image *head = head_list.count ? &head_list.items[0] : NULL;
    if (select_images(prune, head, &made, &selection, err) < 0)
        return -1;
    if (!selection.known && (!prune->storage || prune->label_count > 0))
        return unknown_family(prune, selection.list.count, err);
    if (delete_images(prune, &selection, head, &made, err) < 0)
        return -1;

    if (prune->storage) {
        if (prune_bucket_survey(prune, &selection.list, selection.doomed, &survey, err) < 0)
            return -1;
        if (!selection.known && !survey.of_family)
            return unknown_family(prune, selection.list.count, err);
        if (prune_bucket_sweep(prune, &survey, &made, err) < 0)
            return -1;
    }
    *ret = made;
    return 0;
}
