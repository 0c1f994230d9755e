#include "plan/units.h"

#include <string.h>

#include "plan/install.h"

#define PRESET_NAME "20-bake.preset"

struct enabling {
    struct builder *b;
    const struct plan_args *args;
    const char *units;                   /* the folder of units in the image */
    const struct plan_content **content; /* by unit: its text; NULL: the image's own unit */
    bool *enable;                        /* by unit */
    const char **presets;                /* lines */
    size_t preset_count, preset_capacity;
};

static int add_preset(struct enabling *e, const char *line)
{
    if (!line)
        return err_oom(e->b->err);
    if (e->preset_count == e->preset_capacity) {
        size_t capacity = e->preset_capacity ? 2 * e->preset_capacity : 32;
        const char **grown = reallocarray(e->presets, capacity, sizeof *grown);
        if (!grown)
            return err_oom(e->b->err);
        e->presets = grown;
        e->preset_capacity = capacity;
    }
    e->presets[e->preset_count++] = line;
    return 0;
}

static int add_link(struct enabling *e, const struct recipe_unit *unit, const char *path, const char *target)
{
    struct draft *draft;
    struct arena *arena = &e->b->plan->arena;
    const char *who = arena_printf(arena, "unit %s", unit->name);
    if (!path || !target || !who)
        return err_oom(e->b->err);
    if (build_add(e->b, PLAN_SYMLINK, path, who, unit->where, &draft) < 0)
        return -1;
    draft->op.mode = 0777;
    draft->op.target = target;
    return 0;
}

/* Links for one of the system's own units, which the image has already. */
static int enable_present(struct enabling *e, const struct recipe_unit *unit)
{
    struct arena *arena = &e->b->plan->arena;
    for (size_t i = 0; i < unit->wanted_by_count; i++)
        if (add_link(e, unit, arena_printf(arena, "%s/%s.wants/%s", e->units, unit->wanted_by[i], unit->name),
                     arena_printf(arena, "/usr/lib/systemd/system/%s", unit->name)) < 0)
            return -1;
    return add_preset(e, arena_printf(arena, "enable %s", unit->name));
}

/* The name that a unit is started by; for a template, with its default instance. */
static int instance_name(struct enabling *e, const struct recipe_unit *unit, const struct install *install,
                         const char **ret)
{
    const char *at = strchr(unit->name, '@'), *dot = strrchr(unit->name, '.');
    *ret = unit->name;
    if (!at || at + 1 != dot)
        return 0;
    if (!install->default_instance)
        return build_error(
            e->b, "units", unit->where,
            "%s is a template: to enable it, its [Install] section needs DefaultInstance=", unit->name);
    *ret = arena_printf(&e->b->plan->arena, "%.*s%s%s", (int)(at + 1 - unit->name), unit->name,
                        install->default_instance, dot);
    return *ret ? 0 : err_oom(e->b->err);
}

/* Companions: units of the recipe are enabled too, others get a preset line. */
static int enable_also(struct enabling *e, const struct install_list *also)
{
    const struct recipe *recipe = e->args->recipe;
    for (size_t i = 0; i < also->count; i++) {
        size_t j = 0;
        while (j < recipe->unit_count && strcmp(recipe->units[j].name, also->names[i]) != 0)
            j++;
        if (j < recipe->unit_count)
            e->enable[j] = true;
        else if (add_preset(e, arena_printf(&e->b->plan->arena, "enable %s", also->names[i])) < 0)
            return -1;
    }
    return 0;
}

static int add_links(struct enabling *e, const struct recipe_unit *unit, const struct install *install)
{
    static const char *const folders[] = {
        [INSTALL_WANTED_BY] = "wants", [INSTALL_REQUIRED_BY] = "requires", [INSTALL_UPHELD_BY] = "upholds"};
    struct arena *arena = &e->b->plan->arena;
    const char *name, *target = arena_printf(arena, "%s/%s", e->units, unit->name);
    if (instance_name(e, unit, install, &name) < 0)
        return -1;
    for (size_t key = 0; key < sizeof folders / sizeof *folders; key++)
        for (size_t i = 0; i < install->lists[key].count; i++)
            if (add_link(e, unit,
                         arena_printf(arena, "%s/%s.%s/%s", e->units, install->lists[key].names[i],
                                      folders[key], name),
                         target) < 0)
                return -1;
    const struct install_list *aliases = &install->lists[INSTALL_ALIAS];
    for (size_t i = 0; i < aliases->count; i++)
        if (strcmp(aliases->names[i], unit->name) != 0 &&
            add_link(e, unit, arena_printf(arena, "%s/%s", e->units, aliases->names[i]), target) < 0)
            return -1;
    return add_preset(e, strcmp(name, unit->name) == 0
                             ? arena_printf(arena, "enable %s", name)
                             : arena_printf(arena, "enable %s %s", unit->name, install->default_instance));
}

static int enable_unit(struct enabling *e, size_t index)
{
    const struct recipe_unit *unit = &e->args->recipe->units[index];
    const struct plan_content *content = e->content[index];
    if (!content)
        return enable_present(e, unit);
    if (content->blob.size > PLAN_UNIT_MAX)
        return build_error(e->b, "units", unit->where, "%s is larger than %d KiB", unit->name,
                           PLAN_UNIT_MAX >> 10);
    size_t size = (size_t)content->blob.size;
    cleanup_free char *text = malloc(size + 1);
    if (!text)
        return err_oom(e->b->err);
    if (blob_read(&content->blob, text, size, 0, e->b->err) < 0)
        return err_wrap(e->b->err, "unit %s", unit->name);
    struct install install;
    struct err inner = {0};
    if (install_parse(text, size, &e->b->plan->arena, &install, &inner) < 0)
        return inner.kind == ERR_RECIPE
                   ? build_error(e->b, "units", unit->where, "%s: %s", unit->name, inner.text)
                   : err_oom(e->b->err);
    bool any = false;
    for (size_t i = 0; i < INSTALL_KEYS; i++)
        any = any || install.lists[i].count > 0;
    if (!any)
        return build_error(
            e->b, "units", unit->where,
            "%s cannot be enabled: its text %s; add WantedBy=multi-user.target there, or leave out "
            "\"enable\"",
            unit->name, install.present ? "names nothing in [Install]" : "has no [Install] section");
    return enable_also(e, &install.lists[INSTALL_ALSO]) < 0 ? -1 : add_links(e, unit, &install);
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_preset_file(struct enabling *e)
{
    if (e->preset_count == 0)
        return 0;
    cleanup_buf struct buf out = BUF_INIT(8 << 20);
    buf_str(&out, "# Written by bake: the units that its recipe enables.\n");
    qsort(e->presets, e->preset_count, sizeof *e->presets, compare_text);
    for (size_t i = 0; i < e->preset_count; i++)
        if (i == 0 || strcmp(e->presets[i - 1], e->presets[i]) != 0)
            buf_printf(&out, "%s\n", e->presets[i]);
    if (buf_check(&out, "preset file", e->b->err) < 0)
        return -1;
    struct arena *arena = &e->b->plan->arena;
    const char *text = arena_strndup(arena, out.data, out.len);
    const char *path =
        arena_printf(arena, "%s/systemd/system-preset/" PRESET_NAME, build_place(e->args->layout, PLACE_ETC));
    if (!text || !path)
        return err_oom(e->b->err);
    struct draft *draft;
    if (build_add(e->b, PLAN_FILE, path, "enabled units", (struct recipe_where){0}, &draft) < 0)
        return -1;
    draft->op.mode = 0644;
    return blob_from_memory(text, out.len, &draft->op.content, e->b->err);
}

static int enable_all(struct enabling *e)
{
    const struct recipe *recipe = e->args->recipe;
    const struct plan_wants *wants = e->args->wants;
    for (size_t i = 0; i < wants->count; i++)
        if (wants->items[i].kind == WANT_UNIT)
            e->content[wants->items[i].index] = &e->args->contents[i];
    cleanup_free bool *done = calloc(recipe->unit_count + 1, sizeof *done);
    if (!done)
        return err_oom(e->b->err);
    for (size_t i = 0; i < recipe->unit_count; i++)
        e->enable[i] = recipe->units[i].enable;
    /* Also= may enable a unit before this one in the list: repeat until nothing is new */
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < recipe->unit_count; i++) {
            if (!e->enable[i] || done[i])
                continue;
            done[i] = again = true;
            if (enable_unit(e, i) < 0)
                return -1;
        }
    }
    return add_preset_file(e);
}

int build_enable(struct builder *b, const struct plan_args *args)
{
    cleanup_free const struct plan_content **content = calloc(args->recipe->unit_count + 1, sizeof *content);
    cleanup_free bool *enable = calloc(args->recipe->unit_count + 1, sizeof *enable);
    if (!content || !enable)
        return err_oom(b->err);
    struct enabling e = {.b = b,
                         .args = args,
                         .units = build_place(args->layout, PLACE_UNITS),
                         .content = content,
                         .enable = enable};
    int result = enable_all(&e);
    free(e.presets);
    return result;
}
