#include "kube/command/call.h"

#include <string.h>

static const char *const default_stand_in = "stand-in";

/* The first that is part of the name. */
static const struct {
    const char *part, *value;
} stand_ins[] = {
    {"ALLOCATE", "true"},
    {"CIDR", "192.0.2.0/24"},
    {"SERVERS", "https://192.0.2.1:2379"},
    {"URL", "https://192.0.2.1:2379"},
    {"PORT", "1"},
    {"MTU", "1400"},
    {"DNS", "192.0.2.1"},
    {"ADDR", "192.0.2.1"},
    {"IP", "192.0.2.1"},
};

const char *call_stand_in(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof stand_ins / sizeof *stand_ins; i++)
        if (memmem(name, len, stand_ins[i].part, strlen(stand_ins[i].part)))
            return stand_ins[i].value;
    return default_stand_in;
}

bool call_has_stand_in(const char *text)
{
    return strstr(text, "192.0.2.") || strstr(text, default_stand_in);
}

int call_begin(struct call_list *list, struct err *err)
{
    if (!list->items && !(list->items = arena_array(list->arena, CALLS_MAX, sizeof *list->items)))
        return err_oom(err);
    if (list->count == CALLS_MAX)
        return err_set(err, ERR_RECIPE, 0, "more than %d commands", CALLS_MAX);
    struct program_call *call = &list->items[list->count];
    *call = (struct program_call){.argv = arena_array(list->arena, CALL_WORDS_MAX + 1, sizeof *call->argv)};
    if (!call->argv)
        return err_oom(err);
    list->count++;
    return 0;
}

int call_add_word(struct call_list *list, const char *word, size_t len, struct err *err)
{
    struct program_call *call = &list->items[list->count - 1];
    if (call->count == CALL_WORDS_MAX)
        return err_set(err, ERR_RECIPE, 0, "a command of more than %d words", CALL_WORDS_MAX);
    const char *copy = arena_strndup(list->arena, word ? word : "", len);
    if (!copy)
        return err_oom(err);
    call->argv[call->count++] = copy;
    return 0;
}

const struct call_var *call_find_var(const struct call_vars *vars, const char *name, size_t len)
{
    for (size_t i = 0; i < vars->count; i++)
        if (strlen(vars->items[i].name) == len && memcmp(vars->items[i].name, name, len) == 0)
            return &vars->items[i];
    return NULL;
}

int call_set_var(struct call_vars *vars, const char *name, const char *value, struct err *err)
{
    const struct call_var *known = call_find_var(vars, name, strlen(name));
    if (!known && vars->count == CALL_VARS_MAX)
        return err_set(err, ERR_RECIPE, 0, "more than %d variables", CALL_VARS_MAX);
    vars->items[known ? (size_t)(known - vars->items) : vars->count++] =
        (struct call_var){.name = name, .value = value};
    return 0;
}

void call_fill_marks(const char *text, size_t len, struct buf *to)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    size_t at = 0;
    while (at < len) {
        size_t name = 0;
        while (text[at] == '@' && at + 1 + name < len && text[at + 1 + name] &&
               strchr(letters, text[at + 1 + name]))
            name++;
        bool mark = name > 0 && at + 1 + name < len && text[at + 1 + name] == '@';
        if (mark)
            buf_str(to, call_stand_in(text + at + 1, name));
        else
            buf_add(to, text + at, 1);
        at += mark ? name + 2 : 1;
    }
}
