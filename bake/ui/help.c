#include "bake/ui/help.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS = 80, NAME_COLUMNS = 28, HELP_COLUMN = NAME_COLUMNS + 3 };

/* TEXT from column HELP_COLUMN on, where the cursor is. */
static void print_wrapped(const char *text)
{
    size_t at = HELP_COLUMN;
    for (bool first = true; *text; first = false) {
        size_t len = strcspn(text, " ");
        if (!first && at + 1 + len >= COLUMNS) {
            printf("\n%*s", HELP_COLUMN, "");
            at = HELP_COLUMN;
        } else if (!first) {
            putchar(' ');
            at++;
        }
        printf("%.*s", (int)len, text);
        at += len;
        text += len + strspn(text + len, " ");
    }
    putchar('\n');
}

static void print_option(const char *left, const char *help)
{
    printf("  %-*s ", NAME_COLUMNS, left);
    print_wrapped(help);
}

static void print_group(const struct option_group *group)
{
    printf("\n%s:\n", group->title ? group->title : "Options");
    for (const struct option *option = group->rows; option->name; option++) {
        char left[64], letter[8] = "   ";
        if (option->letter)
            snprintf(letter, sizeof letter, "-%c,", option->letter);
        snprintf(left, sizeof left, "%s --%s%s%s", letter, option->name, option->value ? " " : "",
                 option->value ? option->value : "");
        print_option(left, option->help);
    }
}

void help_print(const struct command *command)
{
    printf("Usage: %s\n\n%s\n", command->usage, command->summary);
    for (const struct option_use *use = command->options; use->group; use++)
        print_group(use->group);
    print_option("-h, --help", "show this help");
    if (command->more)
        printf("\n%s\n", command->more);
}

void help_print_completion(const struct command *command)
{
    for (const struct option_use *use = command->options; use->group; use++)
        for (const struct option *option = use->group->rows; option->name; option++) {
            const char *value = option->value ? option->value : "";
            const char *choices = option->choices ? option->choices : "";
            printf("--%s %s %s\n", option->name, value, choices);
            if (option->letter)
                printf("-%c %s %s\n", option->letter, value, choices);
        }
    puts("--help");
    if (command->argument_choices)
        printf("= %s\n", command->argument_choices);
}

/* --- the manual --- */

/* TEXT in roff: dashes are those of the keyboard, a backslash is itself, a line never starts a request. */
static void print_roff(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++)
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '"')
            fputs("\\(dq", stdout);
        else
            putchar(*text);
}

static void print_manual_rows(const struct option_group *group)
{
    for (const struct option *option = group->rows; option->name; option++) {
        fputs(".TP\n.BI \"", stdout);
        if (option->letter)
            printf("\\-%c\\fR, \\fB", option->letter);
        fputs("\\-\\-", stdout);
        print_roff(option->name);
        if (option->value) {
            fputs(" \" \"", stdout);
            print_roff(option->value);
        }
        fputs("\"\n", stdout);
        print_roff(option->help);
        fputs("\n", stdout);
    }
}

static bool uses_group(const struct command *command, const struct option_group *group)
{
    const struct option_use *use = command->options;
    while (use->group && use->group != group)
        use++;
    return use->group != NULL;
}

/* Which of the listed commands have the group: "bake lock, plan, image". */
static void print_users(const struct command *const *commands, const struct option_group *group)
{
    const char *before = "For\n.B bake ";
    for (; *commands; commands++)
        if ((*commands)->title && uses_group(*commands, group)) {
            printf("%s%s", before, (*commands)->name);
            before = ", ";
        }
    puts(":");
}

static bool is_first_user(const struct command *const *commands, const struct command *command,
                          const struct option_group *group)
{
    while (!(*commands)->title || !uses_group(*commands, group))
        commands++;
    return *commands == command;
}

void help_print_manual(const struct command *const *commands)
{
    for (const struct command *const *at = commands; *at; at++)
        for (const struct option_use *use = (*at)->options; (*at)->title && use->group; use++)
            if (!use->group->title) {
                printf(".SS bake %s\n", (*at)->name);
                print_manual_rows(use->group);
            }
    for (const struct command *const *at = commands; *at; at++)
        for (const struct option_use *use = (*at)->options; (*at)->title && use->group; use++)
            if (use->group->title && is_first_user(commands, *at, use->group)) {
                printf(".SS %s\n", use->group->title);
                print_users(commands, use->group);
                print_manual_rows(use->group);
            }
}
