#include "cloud/push/push.h"

#include <string.h>

#include "cloud/push/register.h"

int push_identity(const struct push *push, struct buf *ret, struct err *err)
{
    char digest[PACKAGE_LABEL];
    push_label(push->sealed, digest);
    buf_printf(ret, "bake push %s to %s/%s gs://%s/%s", digest, push->images.api.endpoints->universe,
               push->images.project, push->storage.bucket, push->prefix);
    return buf_check(ret, "what names a push", err);
}

int push_run(const struct push *push, struct push_state *state, struct push_result *ret, struct err *err)
{
    struct push_result made = {.outcome = push->dry ? PUSH_DRY : PUSH_DONE};
    struct push_names names;
    struct found_image image;
    cleanup_parts struct parts parts = {0};
    struct stored_package stored = {0};

    if (push_names_make(push->sealed, push->prefix, push->images.project, &names, err) < 0 ||
        find_image(push, &names, state, &image, err) < 0)
        return -1;
    if (image.registered)
        made.outcome = PUSH_UNCHANGED;
    else if (store_bucket(push, &names, err) < 0 ||
             parts_make(push->packed, push->fd, names.segments, names.archive, push->storage.api.run, &parts,
                        err) < 0 ||
             store_package(push, &names, &parts, state, &stored, err) < 0 ||
             register_image(push, &names, &stored, state, err) < 0)
        return -1;
    memcpy(made.image, names.image, sizeof made.image);
    made.counts = stored.counts;
    made.archive_found = stored.archive_found;
    *ret = made;
    return state->cache ? state_drop(state, err) : 0; /* nothing is left to be resumed */
}
