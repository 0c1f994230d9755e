#include "bake/ui/options.h"

#include <inttypes.h>
#include <string.h>

/* Parsed by hand rather than by getopt_long(): that prints its own messages, permutes by environment, and
 * takes abbreviations that a later option would make ambiguous in somebody's script. */

static int parse_uint(const char *text, uint64_t *ret)
{
    if (text[0] < '0' || text[0] > '9')
        return -1;
    char *end;
    errno = 0;
    uintmax_t value = strtoumax(text, &end, 10);
    if (errno || *end)
        return -1;
    *ret = value;
    return 0;
}

static int parse_size(const char *text, uint64_t *ret)
{
    static const struct {
        const char *suffix;
        unsigned shift;
    } units[] = {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"", 0}};
    size_t digits = strspn(text, "0123456789");
    char number[24];
    if (digits == 0 || digits >= sizeof number)
        return -1;
    memcpy(number, text, digits);
    number[digits] = '\0';
    uint64_t value;
    if (parse_uint(number, &value) < 0)
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(text + digits, units[i].suffix) != 0)
            continue;
        if (value > UINT64_MAX >> units[i].shift)
            return -1;
        *ret = value << units[i].shift;
        return 0;
    }
    return -1;
}

/* What makes two values of a list the same one: all of it, or the name of NAME=VALUE. */
static size_t identity_len(const struct option_spec *spec, const char *value)
{
    return spec->kind == OPTION_PAIRS ? strcspn(value, "=") : strlen(value);
}

static int list_add(const struct option_spec *spec, const char *value, struct err *err)
{
    struct option_list *list = spec->to;
    size_t len = identity_len(spec, value), at = 0;
    while (at < list->count &&
           (identity_len(spec, list->values[at]) != len || strncmp(list->values[at], value, len) != 0))
        at++;
    if (at == OPTION_LIST_MAX)
        return err_set(err, ERR_USAGE, 0, "--%s takes at most %d values", spec->name, OPTION_LIST_MAX);
    list->values[at] = value;
    list->count += at == list->count;
    return 0;
}

static int take(const struct option_spec *spec, const char *value, struct err *err)
{
    switch (spec->kind) {
    case OPTION_FLAG:
        *(bool *)spec->to = true;
        return 0;
    case OPTION_STRING:
        if (!value[0] && strcmp(spec->arg, "TEXT") != 0) /* --kms-key "$KEY" without KEY must not mean none */
            return err_set(err, ERR_USAGE, 0, "--%s has an empty value: give %s, or leave the option out",
                           spec->name, spec->arg);
        *(const char **)spec->to = value;
        return 0;
    case OPTION_UINT:
        if (parse_uint(value, spec->to) < 0)
            return err_set(err, ERR_USAGE, 0, "--%s wants a whole number, not \"%s\"", spec->name, value);
        return 0;
    case OPTION_SIZE:
        if (parse_size(value, spec->to) < 0)
            return err_set(err, ERR_USAGE, 0, "--%s wants a size such as 10GiB or 512MiB, not \"%s\"",
                           spec->name, value);
        return 0;
    case OPTION_LIST:
    case OPTION_PAIRS:
        return list_add(spec, value, err);
    }
    return err_set(err, ERR_INTERNAL, 0, "option --%s", spec->name);
}

static const struct option_spec *find(const struct option_spec *specs, const char *name, size_t len,
                                      char letter)
{
    for (; specs->name; specs++)
        if (letter ? specs->letter == letter
                   : strlen(specs->name) == len && strncmp(specs->name, name, len) == 0)
            return specs;
    return NULL;
}

/* One option at argv[*at]; moves *at over its value. */
static int parse_one(int argc, char **argv, int *at, const struct option_spec *specs, struct err *err)
{
    const char *arg = argv[*at];
    bool is_long = arg[1] == '-';
    const char *name = is_long ? arg + 2 : arg + 1;
    const char *equals = is_long ? strchr(name, '=') : NULL;
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const struct option_spec *spec = find(specs, name, len, is_long ? '\0' : name[0]);
    if (!spec)
        return err_set(err, ERR_USAGE, 0, "unknown option \"%s\": see --help", arg);
    const char *value = equals ? equals + 1 : NULL;
    if (!is_long && name[1])
        value = name + 1;
    if (spec->kind == OPTION_FLAG && value)
        return err_set(err, ERR_USAGE, 0, "option \"%s\" takes no value", arg);
    if (spec->kind != OPTION_FLAG && !value) {
        if (*at + 1 >= argc)
            return err_set(err, ERR_USAGE, 0, "option \"%s\" wants %s", arg, spec->arg);
        value = argv[++*at];
    }
    return take(spec, value, err);
}

int options_parse(int argc, char **argv, const struct option_spec *specs, const char **positional,
                  size_t positional_max, bool *ret_help, struct err *err)
{
    size_t count = 0;
    bool only_positional = false;
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        if (!only_positional && strcmp(arg, "--") == 0) {
            only_positional = true;
        } else if (!only_positional && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
            *ret_help = true;
            return 0;
        } else if (!only_positional && arg[0] == '-' && arg[1]) {
            if (parse_one(argc, argv, &i, specs, err) < 0)
                return -1;
        } else {
            if (count == positional_max)
                return err_set(err, ERR_USAGE, 0, "\"%s\" is one argument too many: see --help", arg);
            positional[count++] = arg;
        }
    }
    return 0;
}

void options_help(const struct command_help *help, const struct option_spec *specs)
{
    printf("Usage: %s\n\n%s\n\nOptions:\n", help->usage, help->summary);
    for (; specs->name; specs++) {
        char left[40];
        char letter[8] = "   ";
        if (specs->letter)
            snprintf(letter, sizeof letter, "-%c,", specs->letter);
        snprintf(left, sizeof left, "%s --%s%s%s", letter, specs->name, specs->arg ? " " : "",
                 specs->arg ? specs->arg : "");
        printf("  %-26s %s\n", left, specs->help);
    }
    printf("  %-26s %s\n", "-h, --help", "show this help");
    if (help->more)
        printf("\n%s\n", help->more);
}
