#include "bake/job/inputs/image_json.h"

#include "json/write.h"

static void add_string(struct json_writer *json, const char *key, const char *value)
{
    if (value)
        json_string(json, key, value);
}

int image_json_write(const struct recipe_image *image, struct buf *ret, struct err *err)
{
    struct json_writer json = {.buf = ret};
    json_open(&json, NULL, '{');
    add_string(&json, "family", image->family);
    add_string(&json, "description", image->description);
    add_string(&json, "storage_location", image->storage_location);
    if (image->label_count > 0) {
        json_open(&json, "labels", '{');
        for (size_t i = 0; i < image->label_count; i++)
            add_string(&json, image->labels[i].name, image->labels[i].value);
        json_close(&json, '}');
    }
    if (image->license_count > 0)
        json_strings(&json, "licenses", image->licenses, image->license_count);
    if (image->feature_count > 0)
        json_strings(&json, "guest_os_features", image->guest_os_features, image->feature_count);
    json_close(&json, '}');
    return json_write_end(&json, "the recipe's image part", err);
}
