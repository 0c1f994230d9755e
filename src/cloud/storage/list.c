/* Lists of objects, page by page. */
#include <string.h>

#include "cloud/storage/url.h"

enum { PAGE = 1000 /* the API's maximum */, PAGE_BYTES_MAX = 8 << 20, PAGES_MAX = 4096 };

void object_list_free(struct object_list *list)
{
    arena_free(&list->arena);
    free(list->items);
    *list = (struct object_list){0};
}

static int add_object(struct object_list *list, const cJSON *json, struct err *err)
{
    const char *name = api_text(json, "name");
    if (!*name || strlen(name) > OBJECT_NAME_MAX)
        return err_set(err, ERR_REMOTE, 0, "the list of the bucket has an object without a name");
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : PAGE;
        struct object *more =
            capacity > OBJECTS_MAX ? NULL : reallocarray(list->items, capacity, sizeof *list->items);
        if (!more)
            return err_oom(err);
        list->items = more;
        list->capacity = capacity;
    }
    struct object *object = &list->items[list->count];
    if (storage_read_object(json, name, object, err) < 0)
        return -1;
    object->name = arena_strdup(&list->arena, name);
    if (!object->name)
        return err_oom(err);
    list->count++;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct object *x = a, *y = b;
    return strcmp(x->name, y->name);
}

const struct object *object_find(const struct object_list *list, const char *name)
{
    const struct object key = {.name = name};
    return list->count ? bsearch(&key, list->items, list->count, sizeof *list->items, by_name) : NULL;
}

static int one_page(const struct storage *storage, const char *prefix, struct object_list *list,
                    struct buf *token, bool *ret_no_bucket, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    cleanup_api_result struct api_result result = {0};
    char what[512], role[ROLE_CAP];
    snprintf(what, sizeof what, "list of gs://%.222s/%.200s", storage->bucket, prefix);
    if (storage_url_list(storage, prefix, PAGE, token->len > 0 ? token->data : NULL, &url, err) < 0)
        return -1;
    const struct http_request req = {
        .method = "GET", .url = url.data, .what = what, .answer_max = PAGE_BYTES_MAX};
    if (api_send(&storage->api, &req, &result, err) < 0)
        return -1;
    if (result.status == 404 && ret_no_bucket) {
        *ret_no_bucket = true;
        return 0;
    }
    if (!api_ok(&result)) {
        api_refused(&result, what, storage_role(storage, role), err);
        return result.status == 404
                   ? err_wrap(err, "the bucket gs://%s does not exist (--create-bucket creates it)",
                              storage->bucket)
                   : -1;
    }
    const cJSON *root = json_root(result.doc), *items = cJSON_GetObjectItemCaseSensitive(root, "items");
    for (const cJSON *item = items ? items->child : NULL; item; item = item->next)
        if (add_object(list, item, err) < 0)
            return -1;
    buf_free(token);
    buf_str(token, api_text(root, "nextPageToken"));
    return buf_check(token, "a page token", err);
}

int storage_list(const struct storage *storage, const char *prefix, struct object_list *ret,
                 bool *ret_no_bucket, struct err *err)
{
    cleanup_object_list struct object_list list = {.arena = {.max = 512 << 20}};
    cleanup_buf struct buf token = BUF_INIT(4096);
    if (ret_no_bucket)
        *ret_no_bucket = false;
    for (unsigned page = 0;; page++) {
        if (page == PAGES_MAX)
            return err_set(err, ERR_REMOTE, 0, "the list of gs://%s never ends", storage->bucket);
        if (one_page(storage, prefix, &list, &token, ret_no_bucket, err) < 0)
            return -1;
        if (token.len == 0)
            break;
    }
    if (list.count > 0)
        qsort(list.items, list.count, sizeof *list.items, by_name);
    *ret = list;
    list = (struct object_list){0};
    return 0;
}
