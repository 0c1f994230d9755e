#include "io/proc.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"

enum { POLL_STEP_MS = 100, GRACE_MS = 2000, SEARCH_MAX = 64 << 10 };

static bool has_fd(const int *list, int fd)
{
    for (; list && *list >= 0; list++)
        if (*list == fd)
            return true;
    return false;
}

/* Prepared before fork: the child of a threaded process may only make async-signal-safe calls. */
struct child_setup {
    const struct proc_spec *spec;
    const char *program;
    char *const *argv, *const *env;
    int in, out, err, report;
    pid_t parent;
};

/* Runs in the child. Reports errno through the pipe when the program cannot start. */
_Noreturn static void child(const struct child_setup *setup)
{
    int why = 0;
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != setup->parent)
        _exit(127);
    for (int sig = 1; sig < 32; sig++)
        if (sig != SIGKILL && sig != SIGSTOP)
            signal(sig, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(setup->in, 0) < 0 || dup2(setup->out, 1) < 0 || dup2(setup->err, 2) < 0)
        why = errno;
    for (const int *fd = setup->spec->pass_fds; why == 0 && fd && *fd >= 0; fd++)
        if (fcntl(*fd, F_SETFD, 0) < 0)
            why = errno;
    if (why == 0) {
        execve(setup->program, setup->argv, setup->env);
        why = errno;
    }
    if (write(setup->report, &why, sizeof why) < 0)
        _exit(126);
    _exit(127);
}

/* The search path, owned by the caller: PATH and the usual folders. Relative folders are left out, so that a
 * program named gpgv in the current folder never verifies signatures. */
static char *search_path(void)
{
    const char *path = getenv("PATH");
    cleanup_buf struct buf made = BUF_INIT(SEARCH_MAX);
    while (path && *path) {
        size_t len = strcspn(path, ":");
        if (path[0] == '/')
            buf_printf(&made, "%.*s:", (int)len, path);
        path += len;
        path += *path == ':';
    }
    buf_str(&made, PROC_USUAL_PATH);
    return made.failed ? NULL : steal_ptr(made.data);
}

static int not_found(const struct proc_spec *spec, int why, struct err *err)
{
    const char *name = spec->argv[0];
    if (why != ENOENT)
        return err_set(err, ERR_IO, why, "start %s", name);
    err_set(err, ERR_IO, 0, "%s is not installed%s%s%s (searched: PATH and " PROC_USUAL_PATH ")", name,
            spec->package ? " (Debian: apt-get install " : "", spec->package ? spec->package : "",
            spec->package ? ")" : "");
    err->errnum = ENOENT;
    return -1;
}

/* The program's file, owned by the caller. */
static int find_program(const struct proc_spec *spec, const char *search, char **ret, struct err *err)
{
    const char *name = spec->argv[0];
    int why = ENOENT;
    if (strchr(name, '/')) {
        *ret = strdup(name);
        return *ret ? 0 : err_oom(err);
    }
    while (*search) {
        size_t len = strcspn(search, ":");
        cleanup_free char *file = NULL;
        if (asprintf(&file, "%.*s/%s", (int)len, search, name) < 0)
            return err_oom(err);
        struct stat st;
        if (stat(file, &st) == 0 && S_ISREG(st.st_mode)) {
            if (access(file, X_OK) == 0) {
                *ret = steal_ptr(file);
                return 0;
            }
            why = EACCES;
        }
        search += len;
        search += *search == ':';
    }
    return not_found(spec, why, err);
}

/* The child's environment: a few known variables, so no proxy secrets and no LD_PRELOAD. */
static char **child_env(const struct proc_spec *spec, const char *search)
{
    static const char *const names[] = {"HOME", "TMPDIR"};
    size_t given = 0, n = 0;
    while (spec->env && spec->env[given])
        given++;
    char **env = calloc(given + sizeof names / sizeof *names + 3, sizeof *env);
    if (!env)
        return NULL;
    if (asprintf(&env[n], "PATH=%s", search) >= 0)
        n++;
    for (size_t i = 0; i < given; i++)
        if ((env[n] = strdup(spec->env[i])))
            n++;
    for (size_t i = 0; !spec->env && i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && asprintf(&env[n], "%s=%s", names[i], value) >= 0)
            n++;
    }
    env[n] = spec->env ? NULL : strdup("LC_ALL=C.UTF-8");
    return env;
}

static void free_env(char ***env)
{
    for (char **e = *env; e && *e; e++)
        free(*e);
    free(*env);
}

/* Starts the child; *ret_pid is set only when exec succeeded. */
static int spawn(const struct proc_spec *spec, int out, int err_fd, pid_t *ret_pid, struct err *err)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0)
        return err_sys(err, errno, "pipe");
    cleanup_close int report_read = report[0];
    cleanup_close int report_write = report[1];
    cleanup_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0)
        return err_sys(err, errno, "open /dev/null");
    if (has_fd(spec->pass_fds, 0) || has_fd(spec->pass_fds, 1) || has_fd(spec->pass_fds, 2))
        return err_set(err, ERR_INTERNAL, 0, "start %s", spec->argv[0]);
    cleanup_free char *search = search_path();
    cleanup_free char *program = NULL;
    cleanup(free_env) char **env = search ? child_env(spec, search) : NULL;
    if (!env)
        return err_oom(err);
    if (find_program(spec, search, &program, err) < 0)
        return -1;
    struct child_setup setup = {.spec = spec,
                                .program = program,
                                .argv = (char *const *)(uintptr_t)spec->argv,
                                .env = env,
                                .in = spec->stdin_fd >= 0 ? spec->stdin_fd : null,
                                .out = out,
                                .err = err_fd,
                                .report = report_write,
                                .parent = getpid()};
    pid_t pid = fork();
    if (pid == 0)
        child(&setup);
    if (pid < 0)
        return err_sys(err, errno, "fork");
    cleanup_close_fn(&report_write);
    report_write = -1;
    int why = 0;
    ssize_t n;
    do
        n = read(report_read, &why, sizeof why);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof why) {
        waitpid(pid, NULL, 0);
        return err_set(err, ERR_IO, why, "start %s", program);
    }
    *ret_pid = pid;
    return 0;
}

/* Reads what is available; *fd becomes -1 at the end of the stream. Output over the cap is dropped, so that
 * the child does not block. */
static int drain(int *fd, struct buf *to, struct err *err)
{
    char chunk[16 << 10];
    ssize_t n = read(*fd, chunk, sizeof chunk);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n < 0)
        return err_sys(err, errno, "read a child's output");
    if (n == 0) {
        cleanup_close_fn(fd);
        *fd = -1;
        return 0;
    }
    size_t capacity = to->max - to->len;
    buf_add(to, chunk, (size_t)n < capacity ? (size_t)n : capacity);
    return 0;
}

static int status_of(int raw)
{
    return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
}

static int collect(const struct proc_spec *spec, const struct run *run, struct proc *proc, int *out,
                   int *errs, struct proc_result *made, struct err *err)
{
    int64_t deadline = spec->timeout_ms ? clock_now_ms() + spec->timeout_ms : INT64_MAX;
    for (;;) {
        struct pollfd fds[2] = {{.fd = *out, .events = POLLIN}, {.fd = *errs, .events = POLLIN}};
        if (*out >= 0 || *errs >= 0) {
            if (poll(fds, 2, POLL_STEP_MS) < 0 && errno != EINTR)
                return err_sys(err, errno, "poll");
            if (*out >= 0 && fds[0].revents && drain(out, &made->out, err) < 0)
                return -1;
            if (*errs >= 0 && fds[1].revents && drain(errs, &made->err, err) < 0)
                return -1;
        }
        int status = -1;
        bool done_reading = *out < 0 && *errs < 0;
        if (done_reading && proc_wait(proc, POLL_STEP_MS, &status, err) < 0)
            return -1;
        if (status >= 0) {
            made->status = status;
            return 0;
        }
        if (run_check(run, err) < 0)
            return -1;
        if (clock_now_ms() > deadline) {
            err_set(err, ERR_IO, 0, "%s did not end within %u ms and was stopped", spec->argv[0],
                    spec->timeout_ms);
            err->errnum = ETIMEDOUT;
            return -1;
        }
    }
}

int proc_collect(const struct proc_spec *spec, const struct run *run, struct proc *proc, int *out, int *errs,
                 struct proc_result *ret, struct err *err)
{
    cleanup_proc_result struct proc_result made = {.out = BUF_INIT(spec->max_output),
                                                   .err = BUF_INIT(spec->max_output)};
    if (collect(spec, run, proc, out, errs, &made, err) < 0)
        return -1;
    *ret = made;
    made = (struct proc_result){0};
    return 0;
}

int proc_run(const struct proc_spec *spec, const struct run *run, struct proc_result *ret, struct err *err)
{
    int out[2], errs[2];
    if (pipe2(out, O_CLOEXEC) < 0)
        return err_sys(err, errno, "pipe");
    cleanup_close int out_read = out[0];
    cleanup_close int out_write = out[1];
    if (pipe2(errs, O_CLOEXEC) < 0)
        return err_sys(err, errno, "pipe");
    cleanup_close int err_read = errs[0];
    cleanup_close int err_write = errs[1];
    cleanup_proc struct proc proc = {0};
    if (spawn(spec, out_write, err_write, &proc.pid, err) < 0)
        return -1;
    cleanup_close_fn(&out_write);
    out_write = -1;
    cleanup_close_fn(&err_write);
    err_write = -1;
    return proc_collect(spec, run, &proc, &out_read, &err_read, ret, err);
}

void proc_result_free(struct proc_result *result)
{
    buf_free(&result->out);
    buf_free(&result->err);
}

int proc_start(const struct proc_spec *spec, struct proc *ret, int *ret_out_fd, struct err *err)
{
    int out[2];
    if (pipe2(out, O_CLOEXEC) < 0)
        return err_sys(err, errno, "pipe");
    cleanup_close int out_read = out[0];
    cleanup_close int out_write = out[1];
    if (spawn(spec, out_write, out_write, &ret->pid, err) < 0)
        return -1;
    *ret_out_fd = steal_fd(&out_read);
    return 0;
}

int proc_wait(struct proc *proc, unsigned timeout_ms, int *ret_status, struct err *err)
{
    int64_t deadline = clock_now_ms() + timeout_ms;
    for (;;) {
        int raw = 0;
        pid_t pid = waitpid(proc->pid, &raw, WNOHANG);
        if (pid < 0 && errno != EINTR)
            return err_sys(err, errno, "wait for a child");
        if (pid == proc->pid) {
            proc->pid = 0;
            *ret_status = status_of(raw);
            return 0;
        }
        if (clock_now_ms() >= deadline) {
            *ret_status = -1;
            return 0;
        }
        struct timespec nap = {.tv_nsec = 2000000};
        nanosleep(&nap, NULL);
    }
}

void proc_kill(struct proc *proc)
{
    if (proc->pid <= 0)
        return;
    int saved = errno;
    int status = -1;
    struct err ignored;
    pid_t group = proc->pid;
    kill(-group, SIGTERM);
    if (proc_wait(proc, GRACE_MS, &status, &ignored) == 0 && status < 0) {
        kill(-group, SIGKILL);
        waitpid(proc->pid, NULL, 0);
    }
    kill(-group, SIGKILL); /* grandchildren that outlived it */
    proc->pid = 0;
    errno = saved;
}
