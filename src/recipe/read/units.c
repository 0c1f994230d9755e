/* Units, drop-ins and static pod manifests. */
#include <string.h>

#include "base/path.h"
#include "recipe/read/keys.h"
#include "recipe/read/reader.h"

/* systemd.unit(5): valid characters and types of unit names. */
static bool unit_name_ok(const char *name)
{
    static const char *const types[] = {".service", ".socket", ".target", ".mount", ".automount", ".timer",
                                        ".path",    ".slice",  ".swap",   ".scope", NULL};
    const char *dot = strrchr(name, '.');
    if (!dot || dot == name || name[0] == '@' || strlen(name) >= NAME_CAP ||
        !only_chars(name, LOWER UPPER DIGITS ":-_.\\@"))
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

static int read_name(struct reader *r, const cJSON *node, const char **ret, struct recipe_where *ret_where)
{
    if (read_text(r, node, "name", TEXT_NEEDED, ret) < 0)
        return -1;
    *ret_where = read_where(r, read_node(node, "name"));
    return 0;
}

static int read_dropin(struct reader *r, const cJSON *node, struct recipe_dropin *ret,
                       struct recipe_where *ret_where)
{
    if (json_only(r->doc, node, dropin_keys, r->err) < 0 || read_name(r, node, &ret->name, ret_where) < 0)
        return -1;
    if (!path_name_ok(ret->name) || !ends_with(ret->name, ".conf") || ret->name[0] == '.')
        return json_error(
            r->doc, read_node(node, "name"), r->err,
            "drop-in \"%.100s\" must be a file name that ends in .conf, like \"10-memory.conf\"", ret->name);
    if (read_source(r, node, NULL, &ret->source) < 0)
        return -1;
    if (ret->source.kind == SOURCE_NONE)
        return json_error(r->doc, node, r->err,
                          "this drop-in has no content: give text, from, builtin or input");
    return 0;
}

static int read_dropins(struct reader *r, const cJSON *unit, struct recipe_unit *ret)
{
    const cJSON *node;
    size_t count, i = 0;
    if (read_list(r, unit, "dropins", false, &node, &count) < 0)
        return -1;
    struct recipe_dropin *dropins = arena_array(&r->recipe->arena, count + 1, sizeof *dropins);
    cleanup_free struct named *names = calloc(count + 1, sizeof *names);
    if (!dropins || !names)
        return err_oom(r->err);
    for (; node; node = node->next, i++) {
        if (read_dropin(r, node, &dropins[i], &names[i].where) < 0)
            return -1;
        names[i].name = dropins[i].name;
    }
    ret->dropins = dropins;
    ret->dropin_count = count;
    return refuse_twice(r, names, count, "drop-ins of this unit are named");
}

static int read_wanted_by(struct reader *r, const cJSON *unit, struct recipe_unit *ret)
{
    const cJSON *node;
    size_t count, i = 0;
    if (read_list(r, unit, "wanted_by", true, &node, &count) < 0)
        return -1;
    const char **names = arena_array(&r->recipe->arena, count + 1, sizeof *names);
    cleanup_free struct named *seen = calloc(count + 1, sizeof *seen);
    if (!names || !seen)
        return err_oom(r->err);
    for (; node; node = node->next, i++) {
        if (read_string(r, node, "wanted_by", 0, &names[i]) < 0)
            return -1;
        if (!unit_name_ok(names[i]))
            return json_error(r->doc, node, r->err, "\"%.100s\" is no unit name", names[i]);
        seen[i] = (struct named){names[i], read_where(r, node)};
    }
    ret->wanted_by = names;
    ret->wanted_by_count = count;
    return refuse_twice(r, seen, count, "entries are");
}

static int read_unit(struct reader *r, const cJSON *node, struct recipe_unit *unit)
{
    if (json_only(r->doc, node, unit_keys, r->err) < 0 || read_name(r, node, &unit->name, &unit->where) < 0)
        return -1;
    if (!unit_name_ok(unit->name))
        return json_error(r->doc, read_node(node, "name"), r->err,
                          "\"%.100s\" is no unit name: it needs a name and a type, like \"etcd.service\"",
                          unit->name);
    if (read_source(r, node, unit->name, &unit->source) < 0 ||
        json_get_bool(r->doc, node, "enable", false, &unit->enable, r->err) < 0 ||
        read_wanted_by(r, node, unit) < 0 || read_dropins(r, node, unit) < 0)
        return -1;
    bool own = unit->source.kind != SOURCE_NONE;
    if (unit->wanted_by_count > 0 && (own || !unit->enable))
        return json_error(
            r->doc, read_node(node, "wanted_by"), r->err,
            own ? "\"wanted_by\" is for units that the image has already: this one says it in [Install]"
                : "\"wanted_by\" needs \"enable\": true");
    if (own)
        return 0;
    if (unit->enable && unit->wanted_by_count == 0)
        return json_error(
            r->doc, read_node(node, "enable"), r->err,
            "to enable a unit that the image has already, give \"wanted_by\", like [\"multi-user.target\"]; "
            "for a unit of yours give text, from, builtin or input");
    if (!unit->enable && unit->dropin_count == 0)
        return json_error(
            r->doc, node, r->err,
            "this unit has no content: give text, from, builtin, input, or dropins for one that the "
            "image has already");
    return 0;
}

int read_units(struct reader *r, const cJSON *root)
{
    const cJSON *node;
    size_t count, i = 0;
    if (read_list(r, root, "units", false, &node, &count) < 0)
        return -1;
    struct recipe_unit *units = arena_array(&r->recipe->arena, count + 1, sizeof *units);
    cleanup_free struct named *names = calloc(count + 1, sizeof *names);
    if (!units || !names)
        return err_oom(r->err);
    for (; node; node = node->next, i++) {
        if (read_unit(r, node, &units[i]) < 0)
            return -1;
        names[i] = (struct named){units[i].name, units[i].where};
    }
    r->recipe->units = units;
    r->recipe->unit_count = count;
    return refuse_twice(r, names, count, "units are named");
}

static int read_manifest(struct reader *r, const cJSON *node, struct recipe_manifest *manifest)
{
    if (json_only(r->doc, node, manifest_keys, r->err) < 0 ||
        read_name(r, node, &manifest->name, &manifest->where) < 0)
        return -1;
    const char *name = manifest->name;
    /* The kubelet takes every file of the folder but those whose name starts with a dot. */
    if (!path_name_ok(name) || name[0] == '.' ||
        !(ends_with(name, ".yaml") || ends_with(name, ".yml") || ends_with(name, ".json")))
        return json_error(r->doc, read_node(node, "name"), r->err,
                          "manifest \"%.100s\" must be a file name that ends in .yaml, .yml or .json", name);
    if (read_source(r, node, name, &manifest->source) < 0)
        return -1;
    if (manifest->source.kind == SOURCE_NONE)
        return json_error(r->doc, node, r->err,
                          "this manifest has no content: give text, from, builtin or input");
    return 0;
}

int read_manifests(struct reader *r, const cJSON *root)
{
    const cJSON *node;
    size_t count, i = 0;
    if (read_list(r, root, "manifests", false, &node, &count) < 0)
        return -1;
    struct recipe_manifest *manifests = arena_array(&r->recipe->arena, count + 1, sizeof *manifests);
    cleanup_free struct named *names = calloc(count + 1, sizeof *names);
    if (!manifests || !names)
        return err_oom(r->err);
    for (; node; node = node->next, i++) {
        if (read_manifest(r, node, &manifests[i]) < 0)
            return -1;
        names[i] = (struct named){manifests[i].name, manifests[i].where};
    }
    r->recipe->manifests = manifests;
    r->recipe->manifest_count = count;
    return refuse_twice(r, names, count, "manifests are named");
}
