/* Command lines: one table a command gives both the parser and the --help text.
 *
 * In:    argv after the command's name.
 * Out:   values through the table's pointers, positional arguments in order.
 * Fails: ERR_USAGE, naming the option and what it wants.
 *
 * An option that is given again replaces what was given before, so that a script's defaults can be overridden by
 * appending to its command line.
 */
#ifndef BAKE_FRONT_UI_OPTIONS_H
#define BAKE_FRONT_UI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum option_kind {
    OPTION_FLAG,   /* bool *to */
    OPTION_STRING, /* const char **to */
    OPTION_UINT,   /* uint64_t *to */
    OPTION_SIZE,   /* uint64_t *to: bytes; 10GiB, 512MiB, plain bytes */
    OPTION_LIST,   /* struct option_list *to: all the values given, each once */
    OPTION_PAIRS,  /* the same, of NAME=VALUE: the last value of each name */
};

enum { OPTION_LIST_MAX = 64, POSITIONAL_MAX = 4 };

struct option_list {
    const char *values[OPTION_LIST_MAX];
    size_t count;
};

struct option_spec {
    const char *name; /* without the dashes; NULL ends the table */
    char letter;      /* 0: none */
    enum option_kind kind;
    void *to;
    const char *arg;  /* what it takes, as shown in the help: "DIR" */
    const char *help; /* one line */
};

struct command_help {
    const char *usage;   /* "bake image [RECIPE] [options]" */
    const char *summary; /* one or two sentences */
    const char *more;    /* printed after the options; may be NULL */
};

/* *ret_help is set when --help was among them: then nothing else counts. */
must_check int options_parse(int argc, char **argv, const struct option_spec *specs, const char **positional,
                             size_t positional_max, bool *ret_help, struct err *err);

/* Prints the help to stdout, no line over 80 columns. */
void options_help(const struct command_help *help, const struct option_spec *specs);

#endif
