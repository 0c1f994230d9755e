#include "cloud/compute/images.h"

#include <string.h>

#include "cloud/compute/url.h"

enum {
    PAGE = 500 /* the API's maximum */,
    PAGES_MAX = 1000,
    PAGE_BYTES_MAX = 16 << 20,
    POLL_MS = 1000,
    POLL_MAX_MS = 10000
};

static int refused(const struct images *images, const struct api_result *result, const char *what,
                   struct err *err)
{
    char role[320];
    snprintf(role, sizeof role, "roles/compute.storageAdmin on the project %.100s%s", images->project,
             strstr(result->error.message, "rawDisk")
                 ? ", and roles/storage.objectViewer on the archive's bucket"
                 : "");
    return api_refused(result, what, role, err);
}

void image_list_free(struct image_list *list)
{
    arena_free(&list->arena);
    free(list->items);
    *list = (struct image_list){0};
}

const char *image_label(const struct image *image, const char *key)
{
    for (size_t i = 0; i < image->label_count; i++)
        if (strcmp(image->labels[i].key, key) == 0)
            return image->labels[i].value;
    return NULL;
}

const char *image_name_of(const char *url)
{
    const char *slash = strrchr(url, '/');
    return slash ? slash + 1 : url;
}

bool image_name_ok(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= IMAGE_NAME_MAX && name[0] >= 'a' && name[0] <= 'z' && name[len - 1] != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static int copy_text(struct arena *arena, const char *text, const char **ret, struct err *err)
{
    *ret = arena_strdup(arena, text);
    return *ret ? 0 : err_oom(err);
}

static int read_labels(const cJSON *json, struct arena *arena, struct image *image, struct err *err)
{
    const cJSON *object = cJSON_GetObjectItemCaseSensitive(json, "labels");
    size_t count = cJSON_IsObject(object) ? (size_t)cJSON_GetArraySize(object) : 0, i = 0;
    struct label *labels = arena_array(arena, count + 1, sizeof *labels);
    if (!labels)
        return err_oom(err);
    for (const cJSON *node = count ? object->child : NULL; node; node = node->next, i++)
        if (copy_text(arena, node->string, &labels[i].key, err) < 0 ||
            copy_text(arena, cJSON_IsString(node) ? node->valuestring : "", &labels[i].value, err) < 0)
            return -1;
    image->labels = labels;
    image->label_count = count;
    return 0;
}

static int read_image(const cJSON *json, struct arena *arena, struct image *image, struct err *err)
{
    static const char *const states[] = {"ACTIVE", "DEPRECATED", "OBSOLETE", "DELETED"};
    const cJSON *deprecated = cJSON_GetObjectItemCaseSensitive(json, "deprecated");
    const char *status = api_text(json, "status"), *state = api_text(deprecated, "state");
    if (!image_name_ok(api_text(json, "name")))
        return err_set(err, ERR_REMOTE, 0, "the server lists an image with an invalid name");
    if (!api_time(api_text(json, "creationTimestamp"), &image->created_ms))
        return err_set(err, ERR_REMOTE, 0, "image %s: the server's creationTimestamp is malformed",
                       api_text(json, "name"));
    image->status = strcmp(status, "READY") == 0    ? IMAGE_READY
                    : strcmp(status, "FAILED") == 0 ? IMAGE_FAILED
                                                    : IMAGE_PENDING;
    image->state = IMAGE_ACTIVE;
    for (unsigned i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(state, states[i]) == 0)
            image->state = (enum image_state)i;
    if (copy_text(arena, api_text(json, "name"), &image->name, err) < 0 ||
        copy_text(arena, api_text(json, "family"), &image->family, err) < 0 ||
        copy_text(arena, api_text(json, "selfLink"), &image->self_link, err) < 0 ||
        copy_text(arena, api_text(json, "labelFingerprint"), &image->fingerprint, err) < 0 ||
        copy_text(arena, api_text(deprecated, "replacement"), &image->replacement, err) < 0)
        return -1;
    return read_labels(json, arena, image, err);
}

static int add_image(struct image_list *list, const cJSON *json, struct err *err)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 16;
        struct image *more = capacity > IMAGES_MAX ? NULL : reallocarray(list->items, capacity, sizeof *more);
        if (!more)
            return err_oom(err);
        list->items = more;
        list->capacity = capacity;
    }
    list->items[list->count] = (struct image){0};
    if (read_image(json, &list->arena, &list->items[list->count], err) < 0)
        return -1;
    list->count++;
    return 0;
}

static int get_one(const struct images *images, const char *name, const char *verb, const char *what,
                   struct image_list *ret, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    cleanup_api_result struct api_result result = {0};
    cleanup_image_list struct image_list list = {0};
    if (images_url(images, name, verb, &url, err) < 0 ||
        api_call(&images->api, "GET", url.data, NULL, what, &result, err) < 0)
        return -1;
    if (result.status != 404 && !api_ok(&result))
        return refused(images, &result, what, err);
    if (api_ok(&result) && add_image(&list, json_root(result.doc), err) < 0)
        return -1;
    *ret = list;
    list = (struct image_list){0};
    return 0;
}

int images_get(const struct images *images, const char *name, struct image_list *ret, struct err *err)
{
    char what[128];
    snprintf(what, sizeof what, "image %.63s", name);
    return get_one(images, name, NULL, what, ret, err);
}

int images_head(const struct images *images, const char *family, struct image_list *ret, struct err *err)
{
    char what[128];
    snprintf(what, sizeof what, "head of the family %.63s", family);
    if (!image_name_ok(family))
        return err_set(err, ERR_USAGE, 0, "\"%.100s\" cannot be the name of an image family", family);
    return get_one(images, "family", family, what, ret, err);
}

static int newest_first(const void *a, const void *b)
{
    const struct image *x = a, *y = b;
    if (x->created_ms != y->created_ms)
        return x->created_ms > y->created_ms ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int one_page(const struct images *images, const char *filter, struct image_list *list,
                    struct buf *token, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    cleanup_api_result struct api_result result = {0};
    if (images_url_list(images, filter, PAGE, token->len > 0 ? token->data : NULL, &url, err) < 0)
        return -1;
    const struct http_request req = {
        .method = "GET", .url = url.data, .what = "list of images", .answer_max = PAGE_BYTES_MAX};
    if (api_send(&images->api, &req, &result, err) < 0)
        return -1;
    if (!api_ok(&result))
        return refused(images, &result, req.what, err);
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(json_root(result.doc), "items");
    for (const cJSON *item = items ? items->child : NULL; item; item = item->next)
        if (add_image(list, item, err) < 0)
            return -1;
    buf_free(token);
    buf_str(token, api_text(json_root(result.doc), "nextPageToken"));
    return buf_check(token, "a page token", err);
}

int images_list(const struct images *images, const char *filter, struct image_list *ret, struct err *err)
{
    cleanup_image_list struct image_list list = {.arena = {.max = 256 << 20}};
    cleanup_buf struct buf token = BUF_INIT(4096);
    for (unsigned page = 0;; page++) {
        if (page == PAGES_MAX)
            return err_set(err, ERR_REMOTE, 0, "the list of images never ends");
        if (one_page(images, filter, &list, &token, err) < 0)
            return -1;
        if (token.len == 0)
            break;
    }
    if (list.count > 0)
        qsort(list.items, list.count, sizeof *list.items, newest_first);
    *ret = list;
    list = (struct image_list){0};
    return 0;
}

/* A change of one image, and its operation. Every change may be repeated, and is when the operation ends in a
 * temporary error. *RET_ALREADY: the answer was ALREADY, the status of a change that was made before, or may
 * have been. */
static int change(const struct images *images, const char *method, const char *name, const char *verb,
                  const struct buf *body, const char *what, int already, bool *ret_already, struct err *err)
{
    const struct client *client = images->api.client;
    cleanup_buf struct buf url = URL_INIT;
    struct retry retry;
    if (images_url(images, name, verb, &url, err) < 0)
        return -1;
    retry_begin(&retry, "cloud", &client->retry, client->clock);
    for (;;) {
        cleanup_api_result struct api_result result = {0};
        struct operation_end end;
        if (api_call(&images->api, method, url.data, body, what, &result, err) < 0)
            return -1;
        if (already && result.status == already) {
            *ret_already = true;
            return 0;
        }
        if (!api_ok(&result))
            return refused(images, &result, what, err);
        if (operation_wait(images, &result, what, &end, err) == 0)
            return 0;
        if (!end.temporary || retry_again(&retry, what, NULL, images->api.run, err) < 0)
            return -1;
    }
}

int images_insert(const struct images *images, const struct image_spec *spec, const char *request_id,
                  struct operation_end *ret_end, bool *ret_exists, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    cleanup_buf struct buf body = BUF_INIT(4 << 20);
    cleanup_api_result struct api_result result = {0};
    char what[128];
    snprintf(what, sizeof what, "import of image %.63s", spec->name);
    *ret_end = (struct operation_end){0};
    *ret_exists = false;
    if (images_url_insert(images, request_id, &url, err) < 0 || images_insert_body(spec, &body, err) < 0 ||
        api_call(&images->api, "POST", url.data, &body, what, &result, err) < 0)
        return -1;
    *ret_exists = result.status == 409;
    if (*ret_exists)
        return 0;
    if (!api_ok(&result))
        return refused(images, &result, what, err);
    return operation_wait(images, &result, what, ret_end, err);
}

int images_wait_ready(const struct images *images, const char *name, struct err *err)
{
    const struct clock_source *clock = images->api.client->clock ? images->api.client->clock : &clock_machine;
    int64_t end = clock->now_ms(clock->ctx) + (int64_t)(images->wait_s ? images->wait_s : 1800) * 1000;
    for (int64_t nap = POLL_MS;; nap = nap * 2 < POLL_MAX_MS ? nap * 2 : POLL_MAX_MS) {
        cleanup_image_list struct image_list list = {0};
        if (images_get(images, name, &list, err) < 0)
            return -1;
        if (list.count == 0)
            return err_set(err, ERR_REMOTE, 0,
                           "image %s is gone again: its import failed, or something deleted it", name);
        if (list.items[0].status == IMAGE_READY)
            return 0;
        if (list.items[0].status == IMAGE_FAILED)
            return err_set(err, ERR_REMOTE, 0,
                           "image %s: its import failed; delete it, then run the same command again", name);
        if (clock->now_ms(clock->ctx) > end)
            return err_set(err, ERR_REMOTE, 0,
                           "image %s is still being imported: run the same command again to keep waiting",
                           name);
        run_note(images->api.run, "push", "image %s is being imported", name);
        if (clock->sleep_ms(clock->ctx, nap, images->api.run, err) < 0)
            return -1;
    }
}

int images_set_family(const struct images *images, const char *name, const char *family, struct err *err)
{
    cleanup_buf struct buf body = BUF_INIT(1024);
    char what[200];
    struct json_writer json = {.buf = &body};
    json_open(&json, NULL, '{');
    json_string(&json, "family", family);
    json_close(&json, '}');
    snprintf(what, sizeof what, "image %.63s into the family %.63s", name, family);
    if (json_write_end(&json, what, err) < 0)
        return -1;
    return change(images, "PATCH", name, NULL, &body, what, 0, NULL, err);
}

int images_deprecate(const struct images *images, const char *name, enum image_state state,
                     const char *replacement, struct err *err)
{
    static const char *const names[] = {"ACTIVE", "DEPRECATED", "OBSOLETE", "DELETED"};
    cleanup_buf struct buf body = BUF_INIT(4096);
    char what[128];
    struct json_writer json = {.buf = &body};
    json_open(&json, NULL, '{');
    json_string(&json, "state", names[state]);
    json_string_if(&json, "replacement", replacement);
    json_close(&json, '}');
    snprintf(what, sizeof what, "image %.63s to %s", name, names[state]);
    if (json_write_end(&json, what, err) < 0)
        return -1;
    return change(images, "POST", name, "deprecate", &body, what, 0, NULL, err);
}

static bool same_labels(const struct image *image, const struct label *labels, size_t count)
{
    if (image->label_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *value = image_label(image, labels[i].key);
        if (!value || strcmp(value, labels[i].value) != 0)
            return false;
    }
    return true;
}

int images_set_labels(const struct images *images, const struct image *image, const struct label *labels,
                      size_t count, struct err *err)
{
    cleanup_buf struct buf body = BUF_INIT(64 << 10);
    cleanup_image_list struct image_list now = {0};
    char what[128];
    bool stale = false;
    struct json_writer json = {.buf = &body};
    json_open(&json, NULL, '{');
    json_string(&json, "labelFingerprint", image->fingerprint);
    images_add_labels(&json, labels, count);
    json_close(&json, '}');
    snprintf(what, sizeof what, "labels of image %.63s", image->name);
    if (json_write_end(&json, what, err) < 0 ||
        change(images, "POST", image->name, "setLabels", &body, what, 412, &stale, err) < 0)
        return -1;
    if (!stale)
        return 0;
    /* changed in between: by this very request, whose answer was lost, or by another client */
    if (images_get(images, image->name, &now, err) < 0)
        return -1;
    if (now.count == 1 && same_labels(&now.items[0], labels, count))
        return 0;
    return err_set(err, ERR_REMOTE, 0, "%s: another client changes them: run the same command again", what);
}

int images_delete(const struct images *images, const char *name, struct err *err)
{
    char what[128];
    bool gone = false;
    snprintf(what, sizeof what, "deletion of image %.63s", name);
    return change(images, "DELETE", name, NULL, NULL, what, 404, &gone, err);
}
