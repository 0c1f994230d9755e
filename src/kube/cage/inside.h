/* The child's side of the cage: from its birth in new namespaces to the program.
 *
 * In:    what the parent prepared before the clone, which copies it.
 * Out:   the program's exit code as the child's own, or 128 + signal.
 * Fails: with a struct cage_failure in the report pipe, and no program started.
 * Never: returns; makes a call that is not async-signal-safe: the parent may have threads.
 */
#ifndef BAKE_KUBE_CAGE_INSIDE_H
#define BAKE_KUBE_CAGE_INSIDE_H

#include <stdbool.h>

/* The user and group inside; outside of it they are the same when the parent is root, else its own. */
enum { CAGE_USER = 65534 };

enum cage_step { CAGE_IDENTITY, CAGE_ROOT, CAGE_LIBRARIES, CAGE_RIGHTS, CAGE_START };
struct cage_failure {
    enum cage_step step;
    int why; /* errno */
};

struct cage_setup {
    int program, in, out, errs; /* descriptors */
    int gate;                   /* a byte comes when the user is mapped, the end when the parent is gone */
    int gate_parent;            /* the parent's end */
    int report;
    char *const *argv;
    bool dynamic;
};

_Noreturn void cage_inside(const struct cage_setup *setup);

#endif
