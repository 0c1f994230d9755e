#include "cloud/lifecycle/prune.h"

#include <string.h>

bool prune_dry(const struct prune *prune, const char *url, const char *detail)
{
    if (prune->dry)
        prune->dry->tell(prune->dry->ctx, "DELETE", url, detail);
    return prune->dry;
}

/* Labels are compared here: what has not all of them is told. */
static int list_family(const struct prune *prune, struct image_list *ret, struct err *err)
{
    char filter[2 * IMAGE_NAME_MAX + 64];
    snprintf(filter, sizeof filter, "(family=%.63s) OR (labels." LABEL_FAMILY "=%.63s)", prune->family,
             prune->family);
    return images_list(&prune->images, filter, ret, err);
}

/* Why an image is left alone; NULL: it is not. The server has filtered already; nothing is deleted on its word alone. */
static const char *leave(const struct prune *prune, const struct image *image)
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
            return "it has not every label asked for";
    }
    return NULL;
}

int prune_unknown(const struct prune *prune, size_t images, struct err *err)
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

static int read_head(const struct prune *prune, struct image_list *ret, struct err *err)
{
    return images_head(&prune->images, prune->family, ret, err);
}

/* Deprecated first: from then on nobody gets it through the family, whatever becomes of the head. A rollback to it in between
 * makes it active again, and then it stays. */
static int retire(const struct prune *prune, const struct image *image, const struct image *head,
                  bool *ret_gone, struct err *err)
{
    cleanup_image_list struct image_list now = {0}, head_now = {0};
    *ret_gone = false;
    if (image->state == IMAGE_ACTIVE && images_deprecate(&prune->images, image->name, IMAGE_DEPRECATED,
                                                         head ? head->self_link : NULL, err) < 0)
        return -1;
    if (read_head(prune, &head_now, err) < 0 || images_get(&prune->images, image->name, &now, err) < 0)
        return -1;
    if (now.count == 0) {
        *ret_gone = true; /* another prune */
        return 0;
    }
    if (now.items[0].state == IMAGE_ACTIVE ||
        (head_now.count > 0 && strcmp(head_now.items[0].name, image->name) == 0)) {
        run_warn(prune->images.api.run, "prune", "image %s was made active meanwhile: it stays", image->name);
        return 0;
    }
    *ret_gone = true;
    return images_delete(&prune->images, image->name, err);
}

static int one_image(const struct prune *prune, const struct image *image, const struct image *head,
                     struct prune_result *result, struct err *err)
{
    cleanup_buf struct buf url = BUF_INIT(HTTP_URL_MAX);
    bool gone = true;
    images_url(&prune->images, image->name, NULL, &url);
    if (buf_check(&url, "a URL", err) < 0)
        return -1;
    if (!prune_dry(prune, url.data,
                   image->family[0] ? "deprecated first" : "never promoted; deprecated first") &&
        retire(prune, image, head, &gone, err) < 0)
        return -1;
    result->images += gone;
    result->kept += !gone;
    return 0;
}

int prune_run(const struct prune *prune, struct prune_result *ret, struct err *err)
{
    struct prune_result made = {0};
    cleanup_image_list struct image_list list = {0}, head_list = {0};
    uint64_t promoted = 0, others = 0;
    bool known = false;
    if (read_head(prune, &head_list, err) < 0 || list_family(prune, &list, err) < 0)
        return -1;
    const struct image *head = head_list.count ? &head_list.items[0] : NULL;
    cleanup_free bool *goes = calloc(list.count + 1, sizeof *goes);
    if (!goes)
        return err_oom(err);
    for (size_t i = 0; i < list.count; i++) { /* newest first */
        const struct image *image = &list.items[i];
        const char *why = leave(prune, image);
        if (why) {
            prune->left.tell(prune->left.ctx, image->name, why);
            made.left++;
            continue;
        }
        known = true;
        bool recent = (image->family[0] ? promoted++ : others++) < prune->keep;
        bool is_head = head && strcmp(head->name, image->name) == 0;
        goes[i] = !recent && !is_head && image->status != IMAGE_PENDING &&
                  prune->now_ms - image->created_ms > prune->older_ms;
        made.kept += !goes[i];
    }
    if (!known && (!prune->storage || prune->label_count > 0))
        return prune_unknown(prune, list.count, err);
    for (size_t i = list.count; i-- > 0;) /* the oldest first */
        if (goes[i] && one_image(prune, &list.items[i], head, &made, err) < 0)
            return -1;
    if (prune->storage && prune_bucket(prune, &list, goes, known, &made, err) < 0)
        return -1;
    *ret = made;
    return 0;
}
