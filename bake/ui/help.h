/* What is printed from the commands' option tables, to stdout. */
#ifndef BAKE_FRONT_UI_HELP_H
#define BAKE_FRONT_UI_HELP_H

#include "bake/ui/options.h"

/* bake COMMAND --help: no line over 80 columns. */
void help_print(const struct command *command);

/* For completion.bash: a line "--NAME VALUE CHOICES" for each name and letter of an option; VALUE is missing
 * for flags. The line "= CHOICES" has the arguments, when there are choices. */
void help_print_completion(const struct command *command);

/* The manual's option lists in man(7): each listed command's own options, then the groups that commands
 * share. COMMANDS ends with NULL. */
void help_print_manual(const struct command *const *commands);

#endif
