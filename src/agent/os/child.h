/* Runs another program and reads its output.
 *
 * In:    arguments, a time limit.
 * Out:   its standard output, up to the buffer's cap, and its exit code.
 * Fails: ERR_IO if it cannot be run; ERR_VERIFY if it is killed, too slow or prints too much.
 * Owns:  the process and its group: both are gone when child_run() returns.
 * Never: uses a shell; passes on descriptors or the environment (PATH and LC_ALL=C are set).
 */
#ifndef BAKE_AGENT_OS_CHILD_H
#define BAKE_AGENT_OS_CHILD_H

#include "agent/os/root.h"
#include "base/buf.h"
#include "base/err.h"

struct child {
    const char *const *argv; /* argv[0] is a path below the root; NULL-terminated */
    unsigned timeout_ms;
    const char *input; /* its standard input; NULL: none */
    bool errors;       /* collect standard error, too */
};

/* The first of PATHS (NULL-terminated) that is a program, or NULL: bases install their tools in different
 * places. */
const char *child_find(const struct root *root, const char *const *paths);

must_check int child_run(const struct root *root, const struct child *child, struct buf *ret_out,
                         int *ret_code, struct err *err);

/* Whether PATH is an executable file. */
bool child_there(const struct root *root, const char *path);

#endif
