/* What GCE is told about the image: name rules of the images API (coreos-assembler src/cosalib/gcp.py,
 * GoogleCloudPlatform/compute-image-import). Features unknown here pass: GCE keeps adding some. */
#include <string.h>

#include "recipe/read/keys.h"
#include "recipe/read/reader.h"

enum { LABELS_MAX = 62 /* of GCE's 64, two are bake's own */, LABEL_MAX = 63, IMAGE_DESCRIPTION_MAX = 2048 };

static int read_labels(struct reader *r, const cJSON *image, struct recipe_image *ret)
{
    const cJSON *object;
    if (json_get_object(r->doc, image, "labels", false, &object, r->err) < 0)
        return -1;
    size_t count = object ? (size_t)cJSON_GetArraySize(object) : 0, i = 0;
    if (count > LABELS_MAX)
        return json_error(r->doc, object, r->err,
                          "%zu labels: an image has at most 64, and two of them are bake's own", count);
    struct recipe_pair *labels = arena_array(&r->recipe->arena, count + 1, sizeof *labels);
    if (!labels)
        return err_oom(r->err);
    for (const cJSON *node = object ? object->child : NULL; node; node = node->next, i++) {
        const char *key = node->string;
        if (key[0] == '\0' || strlen(key) > LABEL_MAX || !strchr(LOWER, key[0]) ||
            !only_chars(key, LOWER DIGITS "_-"))
            return json_error(
                r->doc, node, r->err,
                "label \"%.100s\": a key starts with a-z and has up to 63 of a-z, 0-9, '_', '-'", key);
        if (strcmp(key, "bake-package") == 0 || strcmp(key, "bake-family") == 0)
            return json_error(r->doc, node, r->err, "the label %s is bake's own", key);
        labels[i].name = arena_strdup(&r->recipe->arena, key);
        if (!labels[i].name)
            return err_oom(r->err);
        if (read_string(r, node, key, TEXT_FREE, &labels[i].value) < 0)
            return -1;
        if (strlen(labels[i].value) > LABEL_MAX || !only_chars(labels[i].value, LOWER DIGITS "_-"))
            return json_error(r->doc, node, r->err,
                              "label value \"%.100s\": it has up to 63 of a-z, 0-9, '_', '-'",
                              labels[i].value);
    }
    ret->labels = labels;
    ret->label_count = count;
    return 0;
}

static int read_strings(struct reader *r, const cJSON *image, const char *key, const char *const **ret,
                        size_t *ret_count)
{
    const cJSON *node;
    size_t count, i = 0;
    if (read_list(r, image, key, true, &node, &count) < 0)
        return -1;
    const char **texts = arena_array(&r->recipe->arena, count + 1, sizeof *texts);
    cleanup_free struct named *seen = calloc(count + 1, sizeof *seen);
    if (!texts || !seen)
        return err_oom(r->err);
    for (; node; node = node->next, i++) {
        if (read_string(r, node, key, 0, &texts[i]) < 0)
            return -1;
        bool feature = strcmp(key, "licenses") != 0;
        if (feature && !(strchr(UPPER, texts[i][0]) && only_chars(texts[i], UPPER DIGITS "_")))
            return json_error(r->doc, node, r->err,
                              "feature \"%.100s\" must be upper case, like \"UEFI_COMPATIBLE\"", texts[i]);
        if (!feature && (!strchr(texts[i], '/') || strchr(texts[i], ' ')))
            return json_error(r->doc, node, r->err,
                              "license \"%.100s\" must be a URL or projects/PROJECT/global/licenses/NAME",
                              texts[i]);
        seen[i] = (struct named){texts[i], read_where(r, node)};
    }
    *ret = texts;
    *ret_count = count;
    return refuse_twice(r, seen, count, "entries are");
}

int read_image(struct reader *r, const cJSON *root)
{
    struct recipe_image *image = &r->recipe->image;
    const cJSON *node;
    if (json_get_object(r->doc, root, "image", false, &node, r->err) < 0)
        return -1;
    if (!node)
        return 0;
    if (json_only(r->doc, node, image_keys, r->err) < 0 ||
        read_text(r, node, "family", 0, &image->family) < 0 ||
        read_text(r, node, "description", TEXT_FREE, &image->description) < 0 ||
        read_text(r, node, "storage_location", 0, &image->storage_location) < 0)
        return -1;
    if (image->family && !is_dns_name(image->family, 63))
        return json_error(r->doc, read_node(node, "family"), r->err,
                          "family \"%.100s\": up to 63 of a-z, 0-9, '-', a letter first and no '-' last",
                          image->family);
    if (image->description && strlen(image->description) > IMAGE_DESCRIPTION_MAX)
        return json_error(r->doc, read_node(node, "description"), r->err,
                          "the description is longer than %d bytes", IMAGE_DESCRIPTION_MAX);
    if (image->storage_location && !is_dns_name(image->storage_location, 63))
        return json_error(r->doc, read_node(node, "storage_location"), r->err,
                          "storage location \"%.100s\" must be like \"eu\" or \"europe-west1\"",
                          image->storage_location);
    if (read_labels(r, node, image) < 0)
        return -1;
    return read_strings(r, node, "licenses", &image->licenses, &image->license_count) < 0
               ? -1
               : read_strings(r, node, "guest_os_features", &image->guest_os_features, &image->feature_count);
}
