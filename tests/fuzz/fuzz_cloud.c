/* Answers of the bucket and the APIs: claims, objects, images' times, sums. Accepted values must be safe to
 * use. */
#include <string.h>

#include "cloud/push/claim.h"
#include "cloud/push/push.h"
#include "io/crc32c.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void as_object(const cJSON *root)
{
    struct err err;
    struct object object;
    char again[CRC32C_TEXT];
    if (storage_read_object(root, "o", &object, &err) < 0)
        return;
    crc32c_text(object.crc32c, again);
    if (object.generation == 0 || strcmp(again, api_text(root, "crc32c")) != 0)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct err err;
    cleanup_claim struct claim claim = {0};
    cleanup_json struct json_doc *doc = NULL;
    int64_t ms;
    char name[IMAGE_NAME_MAX + 1], *text = strndup((const char *)data, size);
    if (!text)
        return 0;
    if (claim_read((const char *)data, size, "claim", &claim, &err) == 0)
        for (const cJSON *item = claim.segments->child; item; item = item->next)
            if (!item->valuestring)
                __builtin_trap();
    if (json_parse((const char *)data, size, "answer", JSON_STRICT, ERR_REMOTE, &doc, &err) == 0)
        as_object(json_root(doc));
    (void)api_time(text, &ms);
    if (text[0] && strlen(text) > 0) {
        push_image_name(text, name);
        if (!image_name_ok(name) && strspn(text, "-") != strlen(text))
            __builtin_trap();
    }
    free(text);
    return 0;
}
