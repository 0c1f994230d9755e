/* Runs a program of the payload on this machine, where it can do nothing but compute and print.
 *
 * In:    a program's content, and arguments.
 * Out:   its exit status and output, capped.
 * Fails: ERR_IO with errnum CAGE_NOT_HERE: the program is for other machines, or this one cannot confine
 *        it (no user namespaces, for example); the text says which. ERR_IO with ETIMEDOUT.
 *        ERR_INTERRUPTED.
 * Owns:  a struct cage owns a sealed copy of the program in memory, until cage_close().
 * Never: runs a program outside of the cage; leaves a process, a mount or a file.
 *
 * The program runs as nobody, in user, mount, process, network, IPC and host name namespaces of its own: its
 * root is empty and read-only (a program that names a loader sees this machine's libraries there), it has no
 * network, no capabilities, no environment and no open files but its output. A filter refuses the system
 * calls that reach further (kube/cage/filter.h), limits bound what it uses, and it ends with bake, whatever
 * it does.
 */
#ifndef BAKE_KUBE_CAGE_CAGE_H
#define BAKE_KUBE_CAGE_CAGE_H

#include <errno.h>

#include "io/blob.h"
#include "io/proc.h"

enum { CAGE_NOT_HERE = ENOEXEC };
enum { CAGE_OUTPUT_MAX = 256 << 10 /* of each stream: help texts have 70 KB */, CAGE_TIMEOUT_MS = 60000 };

struct cage {
    int program; /* -1 when empty */
    bool dynamic;
    unsigned timeout_ms;
};
#define CAGE_EMPTY                                                                                           \
    {                                                                                                        \
        .program = -1                                                                                        \
    }

must_check int cage_open(const struct blob *program, const struct run *run, struct cage *ret,
                         struct err *err);
/* ARGV[0] is what the program takes for its name. */
must_check int cage_run(const struct cage *cage, const char *const *argv, const struct run *run,
                        struct proc_result *ret, struct err *err);
void cage_close(struct cage *cage);
#define cleanup_cage cleanup(cage_close)

#endif
