#include "cloud/prune.h"

#include <string.h>

bool prune_dry(const struct prune *prune, const char *url, const char *detail)
{
    if (prune->dry)
        prune->dry->tell(prune->dry->ctx, "DELETE", url, detail);
    return prune->dry;
}

static int list_family(const struct prune *prune, struct image_list *ret, struct err *err)
{
    cleanup_buf struct buf filter = BUF_INIT(HTTP_URL_MAX / 2);
    buf_printf(&filter, "(labels." LABEL_FAMILY "=%s)", prune->family);
    for (size_t i = 0; i < prune->label_count; i++)
        buf_printf(&filter, " AND (labels.%s=%s)", prune->labels[i].key, prune->labels[i].value);
    if (buf_check(&filter, "a filter", err) < 0)
        return -1;
    return images_list(&prune->images, filter.data, ret, err);
}

/* The server has filtered already; nothing is deleted on its word alone. */
static bool ours(const struct prune *prune, const struct image *image)
{
    const char *family = image_label(image, LABEL_FAMILY);
    if (!family || strcmp(family, prune->family) != 0 || !image_label(image, LABEL_PACKAGE) ||
        (image->family[0] && strcmp(image->family, prune->family) != 0))
        return false;
    for (size_t i = 0; i < prune->label_count; i++) {
        const char *value = image_label(image, prune->labels[i].key);
        if (!value || strcmp(value, prune->labels[i].value) != 0)
            return false;
    }
    return true;
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
    if (read_head(prune, &head_list, err) < 0 || list_family(prune, &list, err) < 0)
        return -1;
    const struct image *head = head_list.count ? &head_list.items[0] : NULL;
    cleanup_free bool *goes = calloc(list.count + 1, sizeof *goes);
    if (!goes)
        return err_oom(err);
    for (size_t i = 0; i < list.count; i++) { /* newest first */
        const struct image *image = &list.items[i];
        if (!ours(prune, image))
            continue;
        bool recent = (image->family[0] ? promoted++ : others++) < prune->keep;
        bool is_head = head && strcmp(head->name, image->name) == 0;
        goes[i] = !recent && !is_head && image->status != IMAGE_PENDING &&
                  prune->now_ms - image->created_ms > prune->older_ms;
        made.kept += !goes[i];
    }
    for (size_t i = list.count; i-- > 0;) /* the oldest first */
        if (goes[i] && one_image(prune, &list.items[i], head, &made, err) < 0)
            return -1;
    if (prune->storage && prune_bucket(prune, &list, goes, &made, err) < 0)
        return -1;
    *ret = made;
    return 0;
}
