/* The commands, one file each. To add one: a file in this folder, a line here, a line in main.c. */
#ifndef BAKE_FRONT_COMMAND_COMMAND_H
#define BAKE_FRONT_COMMAND_COMMAND_H

#include "bake/ui/common.h"

extern const struct command command_init;
extern const struct command command_lock;
extern const struct command command_plan;
extern const struct command command_image;
extern const struct command command_matrix;
extern const struct command command_test;
extern const struct command command_push;
extern const struct command command_promote;
extern const struct command command_prune;
extern const struct command command_key;
extern const struct command command_metadata;
extern const struct command command_relay_metadata;
extern const struct command command_serve_metadata;

#endif
