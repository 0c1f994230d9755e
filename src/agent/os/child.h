/* Another program, run for what it says.
 *
 * In:    arguments, a time limit.
 * Out:   its standard output, as far as the buffer's cap goes, and its exit code.
 * Fails: ERR_IO when it cannot be run, ERR_NETWORK never, ERR_VERIFY when it is killed, too slow or says too
 *        much.
 * Owns:  the process and its group: both are gone when child_run() returns.
 * Never: uses a shell; hands on descriptors or the environment (PATH and LC_ALL=C are set).
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
    bool errors;       /* what it says on standard error is wanted, too */
};

/* Tools of the base that are in one of two places: the first of PATHS (NULL-terminated) that is there, or
 * NULL. */
const char *child_find(const struct root *root, const char *const *paths);

must_check int child_run(const struct root *root, const struct child *child, struct buf *ret_out,
                         int *ret_code, struct err *err);

/* True when PATH is a program there. */
bool child_there(const struct root *root, const char *path);

#endif
