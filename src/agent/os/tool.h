/* Runs one of the base system's tools for its effect.
 *
 * In:    its possible paths, arguments, its standard input.
 * Out:   success or failure only.
 * Fails: ERR_IO with its output on one line.
 */
#ifndef BAKE_AGENT_OS_TOOL_H
#define BAKE_AGENT_OS_TOOL_H

#include "agent/os/root.h"

/* For PATHS: where bases have it. */
extern const char *const tool_systemctl[];

/* PATHS: NULL-terminated. INPUT may be NULL. The arguments end with NULL. */
must_check int tool_run(const struct root *root, const char *const *paths, const char *input, struct err *err,
                        ...) __attribute__((sentinel));

/* For tools that answer with their exit status: *RET_CODE. */
must_check int tool_ask(const struct root *root, const char *const *paths, int *ret_code, struct err *err,
                        ...) __attribute__((sentinel));

#endif
