#include "bake/ui/options.h"

#include <inttypes.h>
#include <string.h>

/* Not getopt_long(): it prints its own messages, depends on POSIXLY_CORRECT, and accepts abbreviations, which
 * a later option would make ambiguous in a user's script. */

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

/* Two values of a list are the same when this much of them is equal: all, or the name of NAME=VALUE. */
static size_t identity_len(const struct option *option, const char *value)
{
    return option->kind == OPTION_PAIRS ? strcspn(value, "=") : strlen(value);
}

static int list_add(const struct option *option, struct option_list *list, const char *value, struct err *err)
{
    size_t len = identity_len(option, value), at = 0;
    while (at < list->count &&
           (identity_len(option, list->values[at]) != len || strncmp(list->values[at], value, len) != 0))
        at++;
    if (at == OPTION_LIST_MAX)
        return err_set(err, ERR_USAGE, 0, "--%s takes at most %d values", option->name, OPTION_LIST_MAX);
    list->values[at] = value;
    list->count += at == list->count;
    return 0;
}

static void *target_of(const struct option_use *use, const struct option *option, struct common *common,
                       void *values)
{
    char *base = use->group->of_common ? (char *)common : (char *)values + use->offset;
    return base + option->offset;
}

static int set_value(const struct option *option, void *target, const char *value, struct err *err)
{
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)target = true;
        return 0;
    case OPTION_STRING:
        /* an empty value is mostly a variable of a script that is not set: --kms-key "$KEY" must not mean no
         * key */
        if (!value[0] && strcmp(option->value, "TEXT") != 0)
            return err_set(err, ERR_USAGE, 0, "--%s has an empty value: give %s, or leave the option out",
                           option->name, option->value);
        *(const char **)target = value;
        return 0;
    case OPTION_UINT:
        if (parse_uint(value, target) < 0)
            return err_set(err, ERR_USAGE, 0, "--%s needs a whole number, not \"%s\"", option->name, value);
        return 0;
    case OPTION_SIZE:
        if (parse_size(value, target) < 0)
            return err_set(err, ERR_USAGE, 0, "--%s needs a size such as 10GiB or 512MiB, not \"%s\"",
                           option->name, value);
        return 0;
    case OPTION_LIST:
    case OPTION_PAIRS:
        return list_add(option, target, value, err);
    }
    return err_set(err, ERR_INTERNAL, 0, "option --%s", option->name);
}

/* By LETTER, or when that is 0 by the first LEN bytes of NAME. *ret_use is the use of its group. */
static const struct option *find_option(const struct command *command, const char *name, size_t len,
                                        char letter, const struct option_use **ret_use)
{
    for (const struct option_use *use = command->options; use->group; use++)
        for (const struct option *option = use->group->rows; option->name; option++)
            if (letter ? option->letter == letter
                       : strlen(option->name) == len && strncmp(option->name, name, len) == 0) {
                *ret_use = use;
                return option;
            }
    return NULL;
}

struct parsing {
    const struct command *command;
    struct common *common;
    void *values;
    int argc;
    char **argv;
};

/* One option at argv[*at]; moves *at over its value. */
static int parse_option(const struct parsing *parsing, int *at, struct err *err)
{
    const char *arg = parsing->argv[*at];
    bool is_long = arg[1] == '-';
    const char *name = is_long ? arg + 2 : arg + 1;
    const char *equals = is_long ? strchr(name, '=') : NULL;
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const struct option_use *use = NULL;
    const struct option *option = find_option(parsing->command, name, len, is_long ? '\0' : name[0], &use);
    if (!option)
        return err_set(err, ERR_USAGE, 0, "unknown option \"%s\": see --help", arg);
    const char *value = equals ? equals + 1 : NULL;
    if (!is_long && name[1])
        value = name + 1;
    if (option->kind == OPTION_FLAG && value)
        return err_set(err, ERR_USAGE, 0, "--%s takes no value: \"%s\"", option->name, arg);
    if (option->kind != OPTION_FLAG && !value) {
        if (*at + 1 >= parsing->argc)
            return err_set(err, ERR_USAGE, 0, "%s needs a value (%s)", arg, option->value);
        value = parsing->argv[++*at];
    }
    return set_value(option, target_of(use, option, parsing->common, parsing->values), value, err);
}

int options_parse(const struct command *command, struct common *common, void *values, int argc, char **argv,
                  const char **arguments, bool *ret_help, struct err *err)
{
    const struct parsing parsing = {command, common, values, argc, argv};
    size_t count = 0;
    bool only_arguments = false;
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        if (!only_arguments && strcmp(arg, "--") == 0) {
            only_arguments = true;
        } else if (!only_arguments && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
            *ret_help = true;
            return 0;
        } else if (!only_arguments && arg[0] == '-' && arg[1]) {
            if (parse_option(&parsing, &i, err) < 0)
                return -1;
        } else {
            if (count == command->arguments_max)
                return err_set(err, ERR_USAGE, 0, "unexpected argument \"%s\": see --help", arg);
            arguments[count++] = arg;
        }
    }
    return 0;
}
