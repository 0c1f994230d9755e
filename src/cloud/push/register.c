#include "cloud/push/register.h"

#include <string.h>

#include "cloud/compute/url.h"
#include "cloud/storage/url.h"

enum {
    ALL_LABELS_MAX = 2 * LABELS_MAX,
    ATTEMPTS_MAX = 100 /* of one run to find a request ID that is not used up */
};

/* --- labels --- */

/* The spec's labels and bake's own. LABELS holds up to LABELS_MAX. */
static int all_labels(const struct push *push, const struct push_names *names, struct label *labels,
                      size_t *ret_count, struct err *err)
{
    size_t count = 0;
    if (push->spec.label_count > GIVEN_LABELS_MAX)
        return err_set(err, ERR_USAGE, 0, "more than %d labels, beside bake's own four", GIVEN_LABELS_MAX);
    for (size_t i = 0; i < push->spec.label_count; i++)
        labels[count++] = push->spec.labels[i];
    labels[count++] = (struct label){LABEL_PACKAGE, names->label};
    if (push->family)
        labels[count++] = (struct label){LABEL_FAMILY, push->family};
    for (size_t i = 0; i < push->version_count; i++)
        labels[count++] = push->versions[i];
    *ret_count = count;
    return 0;
}

static bool has_key(const struct label *labels, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(labels[i].key, key) == 0)
            return true;
    return false;
}

static int change_labels(const struct push *push, const struct image *image, const struct label *labels,
                         size_t count, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    if (count > LABELS_MAX)
        return err_set(err, ERR_USAGE, 0,
                       "image %s has labels that others gave it, and would have %zu: the limit is %d",
                       image->name, count, LABELS_MAX);
    if (!push->dry)
        return images_set_labels(&push->images, image, labels, count, err);
    if (images_url(&push->images, image->name, "setLabels", &url, err) < 0)
        return -1;
    dry_run_report(push->dry, "POST", url.data, "labels as asked for now");
    return 0;
}

/* Labels that an earlier push set to other values are changed; those that others gave the image stay. */
static int fix_labels(const struct push *push, const struct push_names *names, const struct image *image,
                      struct err *err)
{
    struct label all[ALL_LABELS_MAX];
    size_t count = 0;
    bool differ = false;
    if (all_labels(push, names, all, &count, err) < 0)
        return -1;
    size_t given = count;
    for (size_t i = 0; i < given; i++) {
        const char *value = image_label(image, all[i].key);
        differ = differ || !value || strcmp(value, all[i].value) != 0;
    }
    for (size_t i = 0; i < image->label_count && count < ALL_LABELS_MAX; i++)
        if (!has_key(all, given, image->labels[i].key))
            all[count++] = image->labels[i];
    return differ ? change_labels(push, image, all, count, err) : 0;
}

/* --- an existing image --- */

/* After a failed import the next attempt must be another request: this one would get the same answer
 * again. */
static int next_attempt(struct push_state *state, struct err *err)
{
    state->attempt++;
    return state_save(state, err);
}

static int delete_failed(const struct push *push, const char *name, struct push_state *state, struct err *err)
{
    run_warn(push->images.api.run, "push", "image %s exists, but its import failed: it is deleted", name);
    if (push->dry)
        return 0;
    return next_attempt(state, err) < 0 ? -1 : images_delete(&push->images, name, err);
}

int find_image(const struct push *push, const struct push_names *names, struct push_state *state,
               struct found_image *ret, struct err *err)
{
    cleanup_image_list struct image_list list = {0};
    *ret = (struct found_image){0};
    if (images_get(&push->images, names->image, &list, err) < 0)
        return -1;
    if (list.count == 0)
        return 0;
    const struct image *image = &list.items[0];
    const char *label = image_label(image, LABEL_PACKAGE);
    if (!label || strcmp(label, names->label) != 0)
        return err_set(err, ERR_REMOTE, 0,
                       "the project %s has an image %s already, and it is not this package (label "
                       "" LABEL_PACKAGE " is %s, not %s): rename the recipe, or delete that image",
                       push->images.project, names->image, label ? label : "missing", names->label);
    if (image->status == IMAGE_FAILED)
        return delete_failed(push, names->image, state, err);
    if (image->status == IMAGE_PENDING && !push->dry &&
        images_wait_ready(&push->images, names->image, err) < 0)
        return -1;
    ret->registered = true;
    return fix_labels(push, names, image, err);
}

/* --- a new image --- */

/* What the requests for an import are made from. */
struct import {
    const struct push *push;
    const struct push_names *names;
    const struct image_spec *spec;
    struct push_state *state;
};

/* The same request has the same ID in any process and on any machine, so a killed push continues its import
 * when it is repeated. The ID stays taken when the operation ends, so a push that finds it over, and no
 * image, counts the attempt up. */
static int request_id(const struct import *import, char out[static REQUEST_ID_CAP], struct err *err)
{
    const struct images *images = &import->push->images;
    cleanup_buf struct buf text = BUF_INIT(8 << 20);
    buf_printf(&text, "%s/projects/%s/global/images/%s package %s attempt %llu of ",
               images->api.endpoints->universe, images->project, import->names->image, import->names->label,
               (unsigned long long)import->state->attempt);
    if (images_insert_body(import->spec, &text, err) < 0)
        return -1;
    return images_request_id(text.data, out, err);
}

/* RET says whether the image is registered. If not, the import is over and left no image: END says how, and
 * ERR why. */
static int import_once(const struct import *import, struct operation_end *end, struct found_image *ret,
                       struct err *err)
{
    char id[REQUEST_ID_CAP];
    bool exists = false;
    *ret = (struct found_image){0};
    if (request_id(import, id, err) < 0)
        return -1;
    if (images_insert(&import->push->images, import->spec, id, end, &exists, err) < 0)
        return end->failed ? 0 : -1;
    if (find_image(import->push, import->names, import->state, ret, err) < 0)
        return -1;
    if (!ret->registered)
        err_set(err, ERR_REMOTE, 0, "image %s is gone again: something deletes it", import->names->image);
    return 0;
}

/* An operation that was over before this run asked for it says nothing about now, so the next attempt follows
 * at once. One that this run has waited for does. */
static int import_image(const struct import *import, struct err *err)
{
    const struct client *client = import->push->images.api.client;
    const struct run *run = import->push->images.api.run;
    const char *name = import->names->image;
    struct retry retry;
    struct err why = {0};
    retry_begin(&retry, "cloud", &client->retry, client->clock);
    for (unsigned n = 0; n < ATTEMPTS_MAX; n++) {
        struct operation_end end = {0};
        struct found_image found;
        if (import_once(import, &end, &found, err) < 0)
            return -1;
        if (found.registered)
            return 0;
        if (next_attempt(import->state, &why) < 0)
            run_warn(run, "push", "%s", why.text);
        if (end.before)
            run_note(run, "push",
                     "an earlier import of %s is over, and the image does not exist: trying again", name);
        else if ((end.failed && !end.temporary) || retry_again(&retry, name, NULL, run, err) < 0)
            return -1;
    }
    return err_wrap(err, "%d imports of %s are over, and the image does not exist; the last", ATTEMPTS_MAX,
                    name);
}

static int report_import(const struct push *push, const struct image_spec *spec, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT, body = BUF_INIT(4 << 20);
    if (images_url(&push->images, NULL, NULL, &url, err) < 0 || images_insert_body(spec, &body, err) < 0)
        return -1;
    dry_run_report(push->dry, "POST", url.data, body.data);
    return 0;
}

int register_image(const struct push *push, const struct push_names *names,
                   const struct stored_package *stored, struct push_state *state, struct err *err)
{
    struct label labels[LABELS_MAX];
    struct image_spec spec = push->spec;
    cleanup_buf struct buf source = URL_INIT;
    if (storage_url_source(&push->storage, names->archive, &source, err) < 0 ||
        all_labels(push, names, labels, &spec.label_count, err) < 0)
        return -1;
    spec.name = names->image;
    spec.family = NULL;
    spec.labels = labels;
    spec.source = source.data;
    spec.sha1_hex = stored->sha1;
    const struct import import = {push, names, &spec, state};
    return push->dry ? report_import(push, &spec, err) : import_image(&import, err);
}
