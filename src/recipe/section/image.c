/* The image's attributes on GCE, by the rules of the images API (coreos-assembler src/cosalib/gcp.py,
 * GoogleCloudPlatform/compute-image-import). Unknown features pass: GCE keeps adding some. */
#include <string.h>

#include "recipe/section/keys.h"
#include "recipe/section/sections.h"

enum { LABELS_MAX = 60 /* of GCE's 64, bake uses four */, LABEL_MAX = 63, IMAGE_DESCRIPTION_MAX = 2048 };

static bool is_reserved(const char *label)
{
    static const char *const reserved[] = {"bake-package", "bake-family", "bake-kubernetes", "bake-etcd"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(label, reserved[i]) == 0)
            return true;
    return false;
}

static int read_labels(struct recipe_reader *r, const cJSON *image, struct recipe_image *ret)
{
    const cJSON *object;
    if (read_object(r, image, "labels", false, NULL, &object) < 0)
        return -1;
    size_t count = object ? (size_t)cJSON_GetArraySize(object) : 0, i = 0;
    if (count > LABELS_MAX)
        return read_error(r, object, "%zu labels: an image has at most 64, and bake uses four of them",
                          count);
    struct recipe_pair *labels = arena_array(&r->recipe->arena, count + 1, sizeof *labels);
    if (!labels)
        return err_oom(r->err);
    for (const cJSON *node = object ? object->child : NULL; node; node = node->next, i++) {
        const char *key = node->string;
        if (key[0] == '\0' || strlen(key) > LABEL_MAX || !strchr(LOWER, key[0]) ||
            !recipe_only_chars(key, LOWER DIGITS "_-"))
            return read_error(
                r, node, "label \"%.100s\": a key starts with a-z and has up to 63 of a-z, 0-9, '_', '-'",
                key);
        if (is_reserved(key))
            return read_error(r, node, "the label %s is reserved for bake", key);
        if (read_copy(r, key, &labels[i].name) < 0 ||
            read_string(r, node, key, TEXT_FREE, &labels[i].value) < 0)
            return -1;
        if (strlen(labels[i].value) > LABEL_MAX || !recipe_only_chars(labels[i].value, LOWER DIGITS "_-"))
            return read_error(r, node, "label value \"%.100s\": it has up to 63 of a-z, 0-9, '_', '-'",
                              labels[i].value);
    }
    ret->labels = labels;
    ret->label_count = count;
    return 0;
}

static int read_license(struct recipe_reader *r, const cJSON *node, void *item, struct read_name *ret)
{
    const char **license = item;
    if (read_string(r, node, "licenses", 0, license) < 0)
        return -1;
    if (!strchr(*license, '/') || strchr(*license, ' '))
        return read_error(
            r, node, "license \"%.100s\" must be a URL or projects/PROJECT/global/licenses/NAME", *license);
    *ret = (struct read_name){*license, node};
    return 0;
}

static int read_feature(struct recipe_reader *r, const cJSON *node, void *item, struct read_name *ret)
{
    const char **feature = item;
    if (read_string(r, node, "guest_os_features", 0, feature) < 0)
        return -1;
    if (!strchr(UPPER, (*feature)[0]) || !recipe_only_chars(*feature, UPPER DIGITS "_"))
        return read_error(r, node, "feature \"%.100s\" must be upper case, like \"UEFI_COMPATIBLE\"",
                          *feature);
    *ret = (struct read_name){*feature, node};
    return 0;
}

static int read_lists(struct recipe_reader *r, const cJSON *node, struct recipe_image *image)
{
    static const struct read_list licenses = {.key = "licenses",
                                              .strings = true,
                                              .size = sizeof(const char *),
                                              .read = read_license,
                                              .what = "entry"};
    static const struct read_list features = {.key = "guest_os_features",
                                              .strings = true,
                                              .size = sizeof(const char *),
                                              .read = read_feature,
                                              .what = "entry"};
    image->licenses = read_list(r, node, &licenses, &image->license_count);
    if (!image->licenses)
        return -1;
    image->guest_os_features = read_list(r, node, &features, &image->feature_count);
    return image->guest_os_features ? 0 : -1;
}

int read_image(struct recipe_reader *r, const cJSON *root)
{
    struct recipe_image *image = &r->recipe->image;
    const cJSON *node;
    if (read_object(r, root, "image", false, image_keys, &node) < 0)
        return -1;
    if (!node)
        return 0;
    if (read_text(r, node, "family", 0, &image->family) < 0 ||
        read_text(r, node, "description", TEXT_FREE, &image->description) < 0 ||
        read_text(r, node, "storage_location", 0, &image->storage_location) < 0)
        return -1;
    if (image->family && !recipe_dns_name_ok(image->family, 63))
        return read_error(r, read_node(node, "family"),
                          "family \"%.100s\": use up to 63 of a-z, 0-9, '-', starting with a letter and not "
                          "ending with '-'",
                          image->family);
    if (image->description && strlen(image->description) > IMAGE_DESCRIPTION_MAX)
        return read_error(r, read_node(node, "description"), "the description is longer than %d bytes",
                          IMAGE_DESCRIPTION_MAX);
    if (image->storage_location && !recipe_dns_name_ok(image->storage_location, 63))
        return read_error(r, read_node(node, "storage_location"),
                          "storage location \"%.100s\" must be like \"eu\" or \"europe-west1\"",
                          image->storage_location);
    return read_labels(r, node, image) < 0 ? -1 : read_lists(r, node, image);
}
