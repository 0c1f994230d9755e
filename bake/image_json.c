#include "image_json.h"

#include <cjson/cJSON.h>

static void add_string(cJSON *object, const char *key, const char *value)
{
    if (value)
        cJSON_AddStringToObject(object, key, value);
}

static void add_strings(cJSON *object, const char *key, const char *const *values, size_t count)
{
    if (count == 0)
        return;
    cJSON *array = cJSON_AddArrayToObject(object, key);
    for (size_t i = 0; i < count; i++)
        cJSON_AddItemToArray(array, cJSON_CreateString(values[i]));
}

int image_json_write(const struct recipe_image *image, struct buf *ret, struct err *err)
{
    cJSON *object = cJSON_CreateObject();
    add_string(object, "family", image->family);
    add_string(object, "description", image->description);
    add_string(object, "storage_location", image->storage_location);
    if (image->label_count > 0) {
        cJSON *labels = cJSON_AddObjectToObject(object, "labels");
        for (size_t i = 0; i < image->label_count; i++)
            add_string(labels, image->labels[i].name, image->labels[i].value);
    }
    add_strings(object, "licenses", image->licenses, image->license_count);
    add_strings(object, "guest_os_features", image->guest_os_features, image->feature_count);
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    if (!text)
        return err_oom(err);
    buf_str(ret, text);
    cJSON_free(text);
    return buf_check(ret, "the recipe's image part", err);
}
