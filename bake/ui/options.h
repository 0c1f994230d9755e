/* Command lines, described by tables: the parser here, and --help, shell completion and the manual's lists
 * (help.h), all read the same rows.
 *
 * In:    a command, argv after its name.
 * Out:   the members that the rows name, in the command's own values and in what all commands share;
 *        arguments in order.
 * Fails: ERR_USAGE, naming the option and the value it needs.
 *
 * An option that is given again replaces the earlier value, so that appending to a script's command line
 * overrides it.
 */
#ifndef BAKE_FRONT_UI_OPTIONS_H
#define BAKE_FRONT_UI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_STRING, /* const char *; not empty, unless the value is a TEXT */
    OPTION_UINT,   /* uint64_t */
    OPTION_SIZE,   /* uint64_t, bytes: 10GiB, 512MiB, or a plain number */
    OPTION_LIST,   /* struct option_list: all the values given, each once */
    OPTION_PAIRS,  /* struct option_list of NAME=VALUE: the last value of each name */
};

enum { OPTION_LIST_MAX = 64 };

struct option_list {
    const char *values[OPTION_LIST_MAX];
    size_t count;
};

struct option {
    const char *name; /* without the dashes; NULL ends the table */
    char letter;      /* 0: none */
    enum option_kind kind;
    size_t offset;       /* of the member that it sets */
    const char *value;   /* as the help shows it: FILE and DIR are completed as such; NULL for flags */
    const char *help;    /* one phrase */
    const char *choices; /* the values there are, separated by blanks, for completion; NULL: any */
};

/* A row's kind and offset. A member of another type does not compile. */
#define OPTION_OFFSET(type, member, wanted) _Generic(((type *)0)->member, wanted : offsetof(type, member))
#define FLAG_OF(type, member)               .kind = OPTION_FLAG, .offset = OPTION_OFFSET(type, member, bool)
#define STRING_OF(type, member)             .kind = OPTION_STRING, .offset = OPTION_OFFSET(type, member, const char *)
#define UINT_OF(type, member)               .kind = OPTION_UINT, .offset = OPTION_OFFSET(type, member, uint64_t)
#define SIZE_OF(type, member)               .kind = OPTION_SIZE, .offset = OPTION_OFFSET(type, member, uint64_t)
#define LIST_OF(type, member)               .kind = OPTION_LIST, .offset = OPTION_OFFSET(type, member, struct option_list)
#define PAIRS_OF(type, member)              .kind = OPTION_PAIRS, .offset = OPTION_OFFSET(type, member, struct option_list)

/* Rows that set members of one struct. Commands share a group by having that struct among their values. */
struct option_group {
    const char *title; /* heading in the help and the manual; NULL: the options of one command */
    const struct option *rows;
    bool of_common; /* the struct is struct common, not one of the command's values */
};

struct option_use {
    const struct option_group *group; /* NULL ends the table */
    size_t offset;                    /* of the group's struct in the command's values */
};

struct common;

struct command {
    const char *name;
    const char *title; /* in the list of commands; NULL: internal, neither listed nor in the manual */
    const char *usage; /* "bake image [RECIPE] [options]" */
    const char *summary;
    const char *more; /* printed after the options; may be NULL */
    const struct option_use *options;
    size_t arguments_max;
    const char *argument_choices; /* for completion; NULL: a file, *.json */
    /* ARGV is what follows the command's name. Main prints the error and exits with its kind. */
    int (*run)(struct common *common, int argc, char **argv, struct err *err);
};

/* COMMON is what groups of struct common set, VALUES what the others set. ARGUMENTS holds arguments_max.
 * *ret_help is set when --help is among them: then nothing else counts. */
must_check int options_parse(const struct command *command, struct common *common, void *values, int argc,
                             char **argv, const char **arguments, bool *ret_help, struct err *err);

#endif
