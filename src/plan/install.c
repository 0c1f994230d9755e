#include "plan/install.h"

#include <string.h>

#include "text/path.h"
#include "text/unit_lines.h"

static const char *const key_names[INSTALL_KEYS] = {"WantedBy", "RequiredBy", "UpheldBy", "Alias", "Also"};

static bool unit_name_ok(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@";
    return path_name_ok(name) && name[strspn(name, allowed)] == '\0' && strchr(name, '.') && name[0] != '.' &&
           name[0] != '@';
}

static int add_names(const char *key, char *value, struct arena *arena, struct install_list *list,
                     struct err *err)
{
    if (*value == '\0') {
        list->count = 0;
        return 0;
    }
    for (char *at = value; *at;) {
        size_t len = strcspn(at, " \t");
        char *name = arena_strndup(arena, at, len);
        if (!name)
            return err_oom(err);
        if (strchr(name, '%'))
            return err_set(err, ERR_RECIPE, 0, "%s=%.100s: specifiers are not supported: write the name out",
                           key, name);
        if (!unit_name_ok(name))
            return err_set(err, ERR_RECIPE, 0, "%s=%.100s is not a unit name", key, name);
        if (list->count == INSTALL_NAMES_MAX)
            return err_set(err, ERR_RECIPE, 0, "%s= has more than %d names", key, INSTALL_NAMES_MAX);
        list->names[list->count++] = name;
        at += len;
        at += strspn(at, " \t");
    }
    return 0;
}

static int add_assignment(char *line, struct arena *arena, struct install *made, struct err *err)
{
    char *value;
    const char *key = unit_assignment(line, &value);
    if (!key)
        return 0;
    for (size_t i = 0; i < INSTALL_KEYS; i++)
        if (strcmp(key, key_names[i]) == 0)
            return add_names(key, value, arena, &made->lists[i], err);
    if (strcmp(key, "DefaultInstance") != 0)
        return 0;
    if (!path_name_ok(value) || strchr(value, '%'))
        return err_set(err, ERR_RECIPE, 0, "DefaultInstance=%.100s is not an instance name", value);
    made->default_instance = arena_strdup(arena, value);
    return made->default_instance ? 0 : err_oom(err);
}

int install_parse(const char *text, size_t len, struct arena *arena, struct install *ret, struct err *err)
{
    struct unit_lines in = {.text = text, .len = len};
    struct install made = {0};
    char line[UNIT_LINE_CAP];
    bool inside = false;
    int got;
    while ((got = unit_lines_next(&in, line, err)) > 0) {
        char *at = unit_strip(line);
        if (at[0] == '[') {
            inside = strcmp(at, "[Install]") == 0;
            made.present = made.present || inside;
        } else if (inside && at[0] && add_assignment(at, arena, &made, err) < 0) {
            return -1;
        }
    }
    if (got < 0)
        return -1;
    *ret = made;
    return 0;
}
