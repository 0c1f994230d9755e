/* A tool of the base's, run for what it does.
 *
 * In:    where it may be, arguments, what it reads on standard input.
 * Out:   nothing but its success.
 * Fails: ERR_IO with what it said, as one line.
 * Owns:  nothing.
 */
#ifndef BAKE_AGENT_OS_TOOL_H
#define BAKE_AGENT_OS_TOOL_H

#include "agent/os/root.h"

/* PATHS: NULL-terminated. INPUT may be NULL. The arguments end with NULL. */
must_check int tool_run(const struct root *root, const char *const *paths, const char *input, struct err *err,
                        ...) __attribute__((sentinel));

/* For what may say no: *RET_CODE is its exit status. */
must_check int tool_ask(const struct root *root, const char *const *paths, int *ret_code, struct err *err,
                        ...) __attribute__((sentinel));

#endif
