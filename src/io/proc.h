/* Child processes: an argument vector, no shell.
 *
 * In:    argv, the environment, descriptors to pass, a time limit.
 * Out:   exit status and capped output.
 * Fails: ERR_IO when the program is not installed (errnum is ENOENT, the text names the package) or cannot
 *        start, and when it takes too long (errnum is ETIMEDOUT); ERR_INTERRUPTED.
 * Owns:  the child, which is killed with its process group and reaped when the scope is left.
 * Never: passes secrets in argv; leaves a zombie or an orphan (PR_SET_PDEATHSIG).
 */
#ifndef BAKE_IO_PROC_H
#define BAKE_IO_PROC_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/run.h"

/* Searched after PATH: an ordinary user's PATH on Debian has no sbin, and a service's may be empty. */
#define PROC_USUAL_PATH "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"

struct proc_spec {
    const char *const *argv; /* argv[0] is looked up in PATH, then in PROC_USUAL_PATH */
    const char *package;     /* its Debian package, named when it is missing; may be NULL */
    const char *const
        *env;     /* NULL: HOME, TMPDIR and LC_ALL=C.UTF-8. PATH, as searched here, is added to either */
    int stdin_fd; /* -1: /dev/null */
    const int
        *pass_fds; /* descriptors the child keeps under the same number; -1 ends the list; may be NULL */
    unsigned timeout_ms; /* 0: no limit */
    size_t max_output;   /* cap of each stream; the rest is read and dropped */
};

struct proc_result {
    int status;     /* exit code, or 128 + signal */
    struct buf out; /* standard output */
    struct buf err; /* standard error */
};

must_check int proc_run(const struct proc_spec *spec, const struct run *run, struct proc_result *ret,
                        struct err *err);
void proc_result_free(struct proc_result *result);
#define cleanup_proc_result cleanup(proc_result_free)

/* A long-running child (QEMU, a server). *ret_out_fd reads its stdout and stderr, which share one pipe. */
struct proc {
    pid_t pid; /* 0 when empty */
};
must_check int proc_start(const struct proc_spec *spec, struct proc *ret, int *ret_out_fd, struct err *err);
/* Waits at most TIMEOUT_MS; *ret_status is -1 while it still runs. */
must_check int proc_wait(struct proc *proc, unsigned timeout_ms, int *ret_status, struct err *err);
/* The rest of proc_run() for a child that was started otherwise: reads OUT and ERRS, pipes that become -1 at
 * their end, and waits. Of SPEC the time limit, the cap and the name are used. */
must_check int proc_collect(const struct proc_spec *spec, const struct run *run, struct proc *proc, int *out,
                            int *errs, struct proc_result *ret, struct err *err);
/* SIGTERM, SIGKILL after 2 s; reaps the child. An empty proc is allowed. */
void proc_kill(struct proc *proc);
#define cleanup_proc cleanup(proc_kill)

#endif
