#include "cloud/lifecycle/promote.h"

#include <string.h>

#include "cloud/compute/url.h"
#include "cloud/push/names.h"

enum { POLL_MS = 500, POLL_STEP_MS = 250, POLL_MAX_MS = 5000, WAIT_S = 300 };

static void set_name(char to[static IMAGE_NAME_MAX + 1], const char *name)
{
    snprintf(to, IMAGE_NAME_MAX + 1, "%.63s", name);
}

static bool report_only(const struct promote *promote, const char *method, const char *name, const char *verb,
                        const char *detail)
{
    cleanup_buf struct buf url = URL_INIT;
    struct err ignored;
    if (!promote->dry)
        return false;
    bool fits = images_url(&promote->images, name, verb, &url, &ignored) == 0;
    dry_run_report(promote->dry, method, fits ? url.data : name, detail);
    return true;
}

/* Images of the family, newest first. */
static int list_family(const struct promote *promote, struct image_list *ret, struct err *err)
{
    char filter[IMAGE_NAME_MAX + 16];
    snprintf(filter, sizeof filter, "family=%.63s", promote->family);
    return images_list(&promote->images, filter, ret, err);
}

/* The newest of the images that HEAD replaced. */
static int find_previous(const struct promote *promote, const struct image *head,
                         char to[static IMAGE_NAME_MAX + 1], struct err *err)
{
    cleanup_image_list struct image_list list = {0};
    if (!head)
        return err_set(err, ERR_REMOTE, 0,
                       "the family %s has no head to go back from: name the image to promote",
                       promote->family);
    if (list_family(promote, &list, err) < 0)
        return -1;
    for (size_t i = 0; i < list.count; i++) {
        const struct image *image = &list.items[i];
        if (image->state == IMAGE_DEPRECATED && image->status == IMAGE_READY &&
            strcmp(image_name_of(image->replacement), head->name) == 0) {
            set_name(to, image->name);
            return 0;
        }
    }
    return err_set(err, ERR_REMOTE, 0,
                   "no image of the family %s was replaced by %s: name the image to go back to",
                   promote->family, head->name);
}

static int check_candidate(const struct promote *promote, const struct image_list *list,
                           const struct image *head, const char *name, struct err *err)
{
    if (list->count == 0)
        return err_set(err, ERR_REMOTE, 0, "the image %s does not exist in the project %s: push it first",
                       name, promote->images.project);
    const struct image *image = &list->items[0];
    if (image->status != IMAGE_READY)
        return err_set(err, ERR_REMOTE, 0, "image %s is not ready: its import %s", name,
                       image->status == IMAGE_FAILED ? "failed" : "is not complete");
    if (image->state == IMAGE_OBSOLETE || image->state == IMAGE_DELETED)
        return err_set(err, ERR_REMOTE, 0, "image %s is marked as %s: it cannot be a head", name,
                       image->state == IMAGE_OBSOLETE ? "obsolete" : "deleted");
    if (image->family[0] && strcmp(image->family, promote->family) != 0)
        return err_set(err, ERR_REMOTE, 0, "image %s is in the family %s, not in %s", name, image->family,
                       promote->family);
    const char *meant = image_label(image, LABEL_FAMILY);
    if (meant && strcmp(meant, promote->family) != 0)
        return err_set(err, ERR_REMOTE, 0, "image %s was pushed for the family %s, not for %s", name, meant,
                       promote->family);
    if (!promote->rules.rollback && head && strcmp(head->name, name) != 0 &&
        head->created_ms > image->created_ms)
        return err_set(err, ERR_REMOTE, 0,
                       "the family's head %s is newer than %s: use --rollback to go back to an older image",
                       head->name, name);
    return head ? skew_check(head, image, promote->rules, promote->images.api.run, err) : 0;
}

/* An image that was pushed for no family belongs to this one from now on. */
static int set_label(const struct promote *promote, const struct image *image, bool *ret_changed,
                     struct err *err)
{
    struct label labels[LABELS_MAX];
    size_t count = image->label_count;
    if (!image_label(image, LABEL_PACKAGE) || image_label(image, LABEL_FAMILY))
        return 0;
    if (count >= LABELS_MAX) {
        run_warn(promote->images.api.run, "promote",
                 "image %s already has the maximum of labels, so " LABEL_FAMILY
                 " is not added: prune goes by its family alone",
                 image->name);
        return 0;
    }
    memcpy(labels, image->labels, count * sizeof *labels);
    labels[count++] = (struct label){LABEL_FAMILY, promote->family};
    *ret_changed = true;
    return report_only(promote, "POST", image->name, "setLabels", LABEL_FAMILY)
               ? 0
               : images_set_labels(&promote->images, image, labels, count, err);
}

/* Into the family, and active: from here on readers get it, unless a newer image is active. */
static int enter_family(const struct promote *promote, const struct image *image, bool *ret_changed,
                        struct err *err)
{
    *ret_changed = false;
    if (set_label(promote, image, ret_changed, err) < 0)
        return -1;
    if (image->state == IMAGE_DEPRECATED) {
        *ret_changed = true;
        if (!report_only(promote, "POST", image->name, "deprecate", "{\"state\":\"ACTIVE\"}") &&
            images_deprecate(&promote->images, image->name, IMAGE_ACTIVE, NULL, err) < 0)
            return -1;
    }
    if (strcmp(image->family, promote->family) != 0) {
        *ret_changed = true;
        if (!report_only(promote, "PATCH", image->name, NULL, promote->family) &&
            images_set_family(&promote->images, image->name, promote->family, err) < 0)
            return -1;
    }
    return 0;
}

/* The oldest first, so that the head, if it is among them, comes last. */
static int retire_others(const struct promote *promote, const struct image *image, unsigned *ret_count,
                         struct err *err)
{
    cleanup_image_list struct image_list list = {0};
    if (list_family(promote, &list, err) < 0)
        return -1;
    *ret_count = 0;
    for (size_t i = list.count; i-- > 0;) {
        const struct image *other = &list.items[i];
        if (other->state != IMAGE_ACTIVE || strcmp(other->name, image->name) == 0 ||
            (!promote->rules.rollback && other->created_ms > image->created_ms))
            continue;
        (*ret_count)++;
        if (!report_only(promote, "POST", other->name, "deprecate", image->self_link) &&
            images_deprecate(&promote->images, other->name, IMAGE_DEPRECATED, image->self_link, err) < 0)
            return -1;
    }
    return 0;
}

/* Is the image active and in the family, whatever the family's head shows? */
static int is_active(const struct promote *promote, const char *name, bool *ret, struct err *err)
{
    cleanup_image_list struct image_list list = {0};
    if (images_get(&promote->images, name, &list, err) < 0)
        return -1;
    *ret = list.count == 1 && list.items[0].state == IMAGE_ACTIVE &&
           strcmp(list.items[0].family, promote->family) == 0;
    return 0;
}

/* Asks once what readers get. *RET_DONE: the image, or a newer one that another promotion made the head. */
static int poll_head(const struct promote *promote, const struct image *image, struct promote_result *result,
                     bool *ret_done, struct err *err)
{
    cleanup_image_list struct image_list head = {0};
    bool active = false;
    if (images_head(&promote->images, promote->family, &head, err) < 0)
        return -1;
    set_name(result->after, head.count ? head.items[0].name : "");
    *ret_done = strcmp(result->after, image->name) == 0;
    if (*ret_done)
        return 0;
    if (head.count > 0) { /* the previous head, still shown, or a newer image */
        if (head.items[0].created_ms > image->created_ms &&
            is_active(promote, result->after, ret_done, err) < 0)
            return -1;
        if (!*ret_done)
            return 0;
        run_warn(promote->images.api.run, "promote", "%s is newer, and was promoted at the same time",
                 result->after);
        result->outcome = PROMOTE_OVERTAKEN;
        return 0;
    }
    /* a rollback and a promotion have deprecated each other's image: an old head is better than none */
    if (is_active(promote, image->name, &active, err) < 0)
        return -1;
    return active ? 0 : images_deprecate(&promote->images, image->name, IMAGE_ACTIVE, NULL, err);
}

static int wait_for_head(const struct promote *promote, const struct image *image,
                         struct promote_result *result, struct err *err)
{
    const struct clock_source *clock =
        promote->images.api.client->clock ? promote->images.api.client->clock : &clock_machine;
    const struct run *run = promote->images.api.run;
    int64_t end = clock->now_ms(clock->ctx) + (int64_t)WAIT_S * 1000;
    for (int64_t nap = POLL_MS;; nap = nap < POLL_MAX_MS ? nap + POLL_STEP_MS : nap) {
        bool done = false;
        if (poll_head(promote, image, result, &done, err) < 0)
            return -1;
        if (done)
            return 0;
        if (clock->now_ms(clock->ctx) > end)
            return err_set(
                err, ERR_REMOTE, 0,
                "%s is in the family %s, but after %d s the family's head is still %s: run the same "
                "command again; if that does not help, another client changes the family",
                image->name, promote->family, WAIT_S, result->after[0] ? result->after : "nothing");
        run_note(run, "promote", "the head of %s is still %s", promote->family,
                 result->after[0] ? result->after : "nothing");
        if (clock->sleep_ms(clock->ctx, nap, run, err) < 0)
            return -1;
    }
}

int promote_run(const struct promote *promote, struct promote_result *ret, struct err *err)
{
    struct promote_result made = {.outcome = PROMOTE_DONE};
    cleanup_image_list struct image_list head = {0}, list = {0};
    char name[IMAGE_NAME_MAX + 1];
    bool changed = false;
    if (images_head(&promote->images, promote->family, &head, err) < 0)
        return -1;
    const struct image *before = head.count ? &head.items[0] : NULL;
    if (promote->image)
        set_name(name, promote->image);
    else if (find_previous(promote, before, name, err) < 0)
        return -1;
    set_name(made.image, name);
    if (before)
        set_name(made.before, before->name);
    if (images_get(&promote->images, name, &list, err) < 0 ||
        check_candidate(promote, &list, before, name, err) < 0 ||
        enter_family(promote, &list.items[0], &changed, err) < 0 ||
        retire_others(promote, &list.items[0], &made.deprecated, err) < 0)
        return -1;
    if (promote->dry)
        set_name(made.after, name);
    else if (wait_for_head(promote, &list.items[0], &made, err) < 0)
        return -1;
    if (!changed && made.deprecated == 0 && made.outcome == PROMOTE_DONE)
        made.outcome = PROMOTE_UNCHANGED;
    *ret = made;
    return 0;
}
