#include "agent/os/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "text/path.h"

/* The program's path, for execve(). */
static int real_path(const struct root *root, const char *path, char out[static PATH_CAP])
{
    struct stat st;
    cleanup_close int fd = root_openat(root, path, O_PATH);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111)) {
        errno = EACCES;
        return -1;
    }
    return root_real(root, path, out);
}

bool child_there(const struct root *root, const char *path)
{
    char real[PATH_CAP];
    return real_path(root, path, real) == 0;
}

/* Runs in the child: only calls that are safe after fork(). */
static _Noreturn void become(const char *path, const struct child *child, int in, int out)
{
    char search[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C", plain[] = "SYSTEMD_COLORS=0";
    char *const environment[] = {search, locale, plain, NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)setpgid(0, 0);
    if (null >= 0 && dup2(in >= 0 ? in : null, 0) == 0 && dup2(out, 1) == 1 &&
        dup2(child->errors ? out : null, 2) == 2) {
        /* for inherited descriptors; our own are O_CLOEXEC. Kernels before 5.9 lack this call */
        (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
        /* execve() does not change the strings, but takes them without const */
        char *const *args;
        memcpy(&args, &child->argv, sizeof args);
        execve(path, args, environment);
    }
    _exit(127);
}

/* Reads its output until it closes the pipe or the deadline passes. */
static int collect(int fd, int64_t deadline, const char *name, struct buf *out, struct err *err)
{
    char piece[4096];
    for (;;) {
        int64_t left = deadline - clock_now_ms();
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        if (left <= 0)
            return err_set(err, ERR_VERIFY, 0, "%s takes too long", name);
        int n = poll(&poller, 1, left > 60000 ? 60000 : (int)left);
        if (n < 0 && errno != EINTR)
            return err_sys(err, errno, "poll");
        if (n <= 0)
            continue;
        ssize_t len = read(fd, piece, sizeof piece);
        if (len < 0 && errno != EINTR && errno != EAGAIN)
            return err_sys(err, errno, "read what %s says", name);
        if (len == 0)
            return 0;
        buf_add(out, piece, len > 0 ? (size_t)len : 0);
        if (out->failed)
            return err_set(err, ERR_VERIFY, 0, "%s says more than %zu bytes", name, out->max);
    }
}

/* Waits for the process to end, until the deadline: it may close its output earlier. */
static int reap(pid_t pid, int64_t deadline, bool *ret_done, int *ret_status)
{
    for (;;) {
        pid_t got = waitpid(pid, ret_status, WNOHANG);
        *ret_done = got == pid;
        if (got == pid || clock_now_ms() >= deadline)
            return 0;
        if (got < 0 && errno != EINTR)
            return -1;
        (void)poll(NULL, 0, 5);
    }
}

static int finish(pid_t pid, int64_t deadline, int collected, const char *name, int *ret_code,
                  struct err *err)
{
    int status = 0;
    bool done = false;
    if (collected == 0)
        (void)reap(pid, deadline, &done, &status);
    (void)kill(-pid, SIGKILL); /* its leftover children, and itself if it was too slow */
    if (!done) {
        (void)kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        return collected < 0 ? -1 : err_set(err, ERR_VERIFY, 0, "%s takes too long", name);
    }
    if (!WIFEXITED(status))
        return err_set(err, ERR_VERIFY, 0, "%s was killed by signal %d", name, WTERMSIG(status));
    *ret_code = WEXITSTATUS(status);
    return 0;
}

static int make_input(const char *text)
{
    cleanup_close int fd = memfd_create("input", MFD_CLOEXEC);
    size_t len = strlen(text);
    for (size_t at = 0; fd >= 0 && at < len;) {
        ssize_t n = write(fd, text + at, len - at);
        if (n < 0 && errno != EINTR)
            return -1;
        at += n > 0 ? (size_t)n : 0;
    }
    return fd >= 0 && lseek(fd, 0, SEEK_SET) == 0 ? steal_fd(&fd) : -1;
}

const char *child_find(const struct root *root, const char *const *paths)
{
    while (*paths && !child_there(root, *paths))
        paths++;
    return *paths;
}

int child_run(const struct root *root, const struct child *child, struct buf *ret_out, int *ret_code,
              struct err *err)
{
    char path[PATH_CAP];
    const char *name = child->argv[0];
    int ends[2];
    cleanup_close int in = -1;
    if (child->input && (in = make_input(child->input)) < 0)
        return err_sys(err, errno, "memory for the input of %s", name);
    if (real_path(root, name, path) < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(err, errno, "run %s", name);
    cleanup_close int out = ends[0];
    int64_t deadline = clock_now_ms() + child->timeout_ms;
    pid_t pid = fork();
    if (pid == 0)
        become(path, child, in, ends[1]);
    int saved = errno;
    cleanup_close_fn(&ends[1]);
    if (pid < 0)
        return err_sys(err, saved, "run %s", name);
    (void)setpgid(pid, pid); /* in both processes, to avoid a race */
    int collected = collect(out, deadline, name, ret_out, err);
    return finish(pid, deadline, collected, name, ret_code, err);
}
