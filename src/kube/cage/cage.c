#include "kube/cage/cage.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kube/cage/inside.h"
#include "kube/cage/native.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

static int not_here(struct err *err, int why, const char *what)
{
    err_set(err, ERR_IO, why, "%s%s", why != 0 ? "this machine cannot confine it: " : "", what);
    err->errnum = CAGE_NOT_HERE;
    return -1;
}

void cage_close(struct cage *cage)
{
    cleanup_close_fn(&cage->program);
    cage->program = -1;
}

static int copy_program(const struct blob *program, int to, const struct run *run, struct err *err)
{
    if (!program->memory)
        return file_copy(program->fd, program->off, to, 0, program->size, run, err);
    return file_pwrite(to, program->memory, (size_t)program->size, 0, "a program's copy", err);
}

int cage_open(const struct blob *program, const struct run *run, struct cage *ret, struct err *err)
{
    struct native_facts native;
    if (native_read(program, &native, err) < 0)
        return -1;
    if (native.kind != NATIVE_HERE)
        return not_here(err, 0,
                        native.kind == NATIVE_FOREIGN ? "it is a program for another kind of machine"
                                                      : "it is not a program (ELF)");
    cleanup_cage struct cage made = {.dynamic = native.dynamic, .timeout_ms = CAGE_TIMEOUT_MS};
    made.program = memfd_create("cage", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (made.program < 0 && errno == EINVAL) /* kernels before 6.3: it can be executed as it is */
        made.program = memfd_create("cage", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (made.program < 0)
        return not_here(err, errno, "memory for a program");
    if (copy_program(program, made.program, run, err) < 0)
        return -1;
    if (fcntl(made.program, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return not_here(err, errno, "seal a program's copy");
    *ret = made;
    made.program = -1;
    return 0;
}

static bool write_map(pid_t pid, const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool map_to(pid_t pid, uid_t user, gid_t group)
{
    char uid[48], gid[48];
    snprintf(uid, sizeof uid, "%u %u 1\n", (unsigned)CAGE_USER, user);
    snprintf(gid, sizeof gid, "%u %u 1\n", (unsigned)CAGE_USER, group);
    return write_map(pid, "gid_map", gid) && write_map(pid, "uid_map", uid);
}

/* Maps the user inside to nobody. An ordinary user, and a root who has no other users, may only map himself.
 */
static bool map_user(pid_t pid)
{
    (void)!write_map(pid, "oom_score_adj", "1000"); /* the first to go when memory is short */
    if (geteuid() == 0 && map_to(pid, CAGE_USER, CAGE_USER))
        return true;
    (void)!write_map(pid, "setgroups", "deny");
    return map_to(pid, geteuid(), getegid());
}

static int report_failure(int report, struct err *err)
{
    static const char *const steps[] = {[CAGE_IDENTITY] = "become nobody",
                                        [CAGE_ROOT] = "make an empty root",
                                        [CAGE_LIBRARIES] = "show it this machine's libraries",
                                        [CAGE_RIGHTS] = "take its rights away",
                                        [CAGE_START] = "start it"};
    struct cage_failure failure;
    if (read(report, &failure, sizeof failure) != (ssize_t)sizeof failure)
        return 0;
    return not_here(err, failure.why, steps[failure.step]);
}

enum { SPACES = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS };

/* Starts the child, which waits at the gate until its user is mapped. */
static int start_child(const struct cage_setup *setup, int gate, struct proc *ret, struct err *err)
{
    pid_t pid = (pid_t)syscall(SYS_clone, SPACES | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0)
        cage_inside(setup);
    if (pid < 0)
        return not_here(err, errno, "make namespaces");
    ret->pid = pid;
    setpgid(pid, pid); /* by which it is killed */
    if (!map_user(pid))
        return not_here(err, errno, "map a user into a namespace");
    return write(gate, "", 1) == 1 ? 0 : err_sys(err, errno, "write to a child");
}

static int pipe_pair(int *ret_read, int *ret_write, struct err *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_sys(err, errno, "pipe");
    *ret_read = fds[0];
    *ret_write = fds[1];
    return 0;
}

int cage_run(const struct cage *cage, const char *const *argv, const struct run *run, struct proc_result *ret,
             struct err *err)
{
    cleanup_close int out = -1, out_child = -1, errs = -1, errs_child = -1, gate = -1, gate_child = -1,
                      report = -1, report_child = -1;
    cleanup_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cleanup_proc struct proc proc = {0};
    cleanup_proc_result struct proc_result made = {0};
    if (null < 0)
        return err_sys(err, errno, "open /dev/null");
    if (pipe_pair(&out, &out_child, err) < 0 || pipe_pair(&errs, &errs_child, err) < 0 ||
        pipe_pair(&gate_child, &gate, err) < 0 || pipe_pair(&report, &report_child, err) < 0)
        return -1;
    const struct cage_setup setup = {.program = cage->program,
                                     .in = null,
                                     .out = out_child,
                                     .errs = errs_child,
                                     .gate = gate_child,
                                     .gate_parent = gate,
                                     .report = report_child,
                                     .argv = (char *const *)(uintptr_t)argv,
                                     .dynamic = cage->dynamic};
    if (start_child(&setup, gate, &proc, err) < 0)
        return -1;
    int *const given[] = {&out_child, &errs_child, &report_child};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        cleanup_close_fn(given[i]);
        *given[i] = -1;
    }
    const struct proc_spec spec = {
        .argv = argv, .timeout_ms = cage->timeout_ms, .max_output = CAGE_OUTPUT_MAX};
    if (proc_collect(&spec, run, &proc, &out, &errs, &made, err) < 0 || report_failure(report, err) < 0)
        return -1;
    *ret = made;
    made = (struct proc_result){0};
    return 0;
}
