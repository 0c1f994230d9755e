/* Units, drop-ins and static pod manifests. */
#include <string.h>

#include "recipe/section/keys.h"
#include "recipe/section/sections.h"
#include "recipe/section/source.h"
#include "text/path.h"

/* systemd.unit(5): valid characters and types of unit names. */
static bool unit_name_ok(const char *name)
{
    static const char *const types[] = {".service", ".socket", ".target", ".mount", ".automount", ".timer",
                                        ".path",    ".slice",  ".swap",   ".scope", NULL};
    const char *dot = strrchr(name, '.');
    if (!dot || dot == name || name[0] == '@' || strlen(name) >= NAME_CAP ||
        !recipe_only_chars(name, LOWER UPPER DIGITS ":-_.\\@"))
        return false;
    for (size_t i = 0; types[i]; i++)
        if (strcmp(dot, types[i]) == 0)
            return true;
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a > b && strcmp(text + a - b, end) == 0;
}

/* "name", and its position for what follows. */
static int read_name(struct recipe_reader *r, const cJSON *node, const char **ret, struct read_name *ret_name)
{
    if (read_text(r, node, "name", TEXT_NEEDED, ret) < 0)
        return -1;
    *ret_name = (struct read_name){*ret, read_node(node, "name")};
    return 0;
}

static int read_dropin(struct recipe_reader *r, const cJSON *node, void *item, struct read_name *ret)
{
    struct recipe_dropin *dropin = item;
    if (read_only(r, node, dropin_keys) < 0 || read_name(r, node, &dropin->name, ret) < 0)
        return -1;
    if (!path_name_ok(dropin->name) || !ends_with(dropin->name, ".conf") || dropin->name[0] == '.')
        return read_error(
            r, ret->node,
            "drop-in \"%.100s\" must be a file name that ends in .conf, like \"10-memory.conf\"",
            dropin->name);
    if (read_source(r, node, NULL, &dropin->source) < 0)
        return -1;
    if (dropin->source.kind == SOURCE_NONE)
        return read_error(r, node, "this drop-in has no content: give text, from, builtin or input");
    return 0;
}

static int read_dropins(struct recipe_reader *r, const cJSON *node, struct recipe_unit *unit)
{
    static const struct read_list list = {
        .key = "dropins", .size = sizeof(struct recipe_dropin), .read = read_dropin, .what = "drop-in"};
    unit->dropins = read_list(r, node, &list, &unit->dropin_count);
    return unit->dropins ? 0 : -1;
}

static int read_wanting(struct recipe_reader *r, const cJSON *node, void *item, struct read_name *ret)
{
    const char **name = item;
    if (read_string(r, node, "wanted_by", 0, name) < 0)
        return -1;
    *ret = (struct read_name){*name, node};
    return unit_name_ok(*name) ? 0 : read_error(r, node, "\"%.100s\" is not a unit name", *name);
}

static int read_wanted_by(struct recipe_reader *r, const cJSON *node, struct recipe_unit *unit)
{
    static const struct read_list list = {.key = "wanted_by",
                                          .strings = true,
                                          .size = sizeof(const char *),
                                          .read = read_wanting,
                                          .what = "entry"};
    unit->wanted_by = read_list(r, node, &list, &unit->wanted_by_count);
    return unit->wanted_by ? 0 : -1;
}

/* A unit that the image already has must be enabled or get drop-ins. */
static int check_existing(struct recipe_reader *r, const cJSON *node, const struct recipe_unit *unit)
{
    if (unit->enable && unit->wanted_by_count == 0)
        return read_error(
            r, read_node(node, "enable"),
            "to enable a unit that the image already has, give \"wanted_by\", like [\"multi-user.target\"]; "
            "for your own unit give text, from, builtin or input");
    if (!unit->enable && unit->dropin_count == 0)
        return read_error(
            r, node,
            "this unit has no content: give text, from, builtin, input, or dropins for one that the "
            "image already has");
    return 0;
}

static int read_unit(struct recipe_reader *r, const cJSON *node, void *item, struct read_name *ret)
{
    struct recipe_unit *unit = item;
    if (read_only(r, node, unit_keys) < 0 || read_name(r, node, &unit->name, ret) < 0)
        return -1;
    unit->where = read_where(r, ret->node);
    if (!unit_name_ok(unit->name))
        return read_error(r, ret->node,
                          "\"%.100s\" is not a unit name: it needs a name and a type, like \"etcd.service\"",
                          unit->name);
    if (read_source(r, node, unit->name, &unit->source) < 0 ||
        read_bool(r, node, "enable", false, &unit->enable) < 0 || read_wanted_by(r, node, unit) < 0 ||
        read_dropins(r, node, unit) < 0)
        return -1;
    bool own = unit->source.kind != SOURCE_NONE;
    if (unit->wanted_by_count > 0 && (own || !unit->enable))
        return read_error(r, read_node(node, "wanted_by"),
                          own ? "\"wanted_by\" is for units that the image already has: this one has its own "
                                "[Install] section"
                              : "\"wanted_by\" needs \"enable\": true");
    return own ? 0 : check_existing(r, node, unit);
}

int read_units(struct recipe_reader *r, const cJSON *root)
{
    static const struct read_list list = {
        .key = "units", .size = sizeof(struct recipe_unit), .read = read_unit, .what = "unit"};
    r->recipe->units = read_list(r, root, &list, &r->recipe->unit_count);
    return r->recipe->units ? 0 : -1;
}

static int read_manifest(struct recipe_reader *r, const cJSON *node, void *item, struct read_name *ret)
{
    struct recipe_manifest *manifest = item;
    if (read_only(r, node, manifest_keys) < 0 || read_name(r, node, &manifest->name, ret) < 0)
        return -1;
    manifest->where = read_where(r, ret->node);
    const char *name = manifest->name;
    /* the kubelet reads every file of the folder except those whose names start with a dot */
    if (!path_name_ok(name) || name[0] == '.' ||
        !(ends_with(name, ".yaml") || ends_with(name, ".yml") || ends_with(name, ".json")))
        return read_error(r, ret->node,
                          "manifest \"%.100s\" must be a file name that ends in .yaml, .yml or .json", name);
    if (read_source(r, node, name, &manifest->source) < 0)
        return -1;
    if (manifest->source.kind == SOURCE_NONE)
        return read_error(r, node, "this manifest has no content: give text, from, builtin or input");
    return 0;
}

int read_manifests(struct recipe_reader *r, const cJSON *root)
{
    static const struct read_list list = {.key = "manifests",
                                          .size = sizeof(struct recipe_manifest),
                                          .read = read_manifest,
                                          .what = "manifest"};
    r->recipe->manifests = read_list(r, root, &list, &r->recipe->manifest_count);
    return r->recipe->manifests ? 0 : -1;
}
