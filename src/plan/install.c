#include "plan/install.h"

#include <string.h>

#include "text/path.h"

static const char *const key_names[INSTALL_KEYS] = {"WantedBy", "RequiredBy", "UpheldBy", "Alias", "Also"};

enum { LINE_CAP = 8192 };

struct unit_text {
    const char *text;
    size_t len, at;
};

/* Reads one physical line, without its end. False at the end of the text. */
static bool next_physical_line(struct unit_text *in, const char **ret, size_t *ret_len)
{
    if (in->at >= in->len)
        return false;
    const char *line = in->text + in->at;
    const char *newline = memchr(line, '\n', in->len - in->at);
    size_t len = newline ? (size_t)(newline - line) : in->len - in->at;
    in->at += len + 1;
    if (len > 0 && line[len - 1] == '\r')
        len--;
    *ret = line;
    *ret_len = len;
    return true;
}

static bool is_comment(const char *line, size_t len)
{
    size_t at = 0;
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    return at < len && (line[at] == '#' || line[at] == ';');
}

/* Reads one logical line: continuation lines joined by a space, without the comments between them. Returns 1,
 * 0 at the end, or -1 on error. */
static int next_logical_line(struct unit_text *in, char out[static LINE_CAP], struct err *err)
{
    const char *line;
    size_t len, at = 0;
    bool more = true, any = false;
    while (more && next_physical_line(in, &line, &len)) {
        if (is_comment(line, len))
            continue;
        any = true;
        more = len > 0 && line[len - 1] == '\\';
        if (more)
            len--;
        if (memchr(line, '\0', len) || len + 1 >= LINE_CAP - at)
            return err_set(err, ERR_RECIPE, 0, "it has a line that is too long or contains a NUL");
        memcpy(out + at, line, len);
        at += len;
        if (more)
            out[at++] = ' ';
    }
    out[at] = '\0';
    return any ? 1 : 0;
}

static char *strip(char *text)
{
    text += strspn(text, " \t");
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        text[--len] = '\0';
    return text;
}

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
    char *equals = strchr(line, '=');
    if (!equals)
        return 0; /* systemd ignores such a line, too */
    *equals = '\0';
    const char *key = strip(line);
    char *value = strip(equals + 1);
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
    struct unit_text in = {.text = text, .len = len};
    struct install made = {0};
    char line[LINE_CAP];
    bool inside = false;
    int got;
    while ((got = next_logical_line(&in, line, err)) > 0) {
        char *at = strip(line);
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
