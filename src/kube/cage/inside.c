#include "kube/cage/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kube/cage/filter.h"

enum { CPU_SECONDS = 30, PROCESSES = 512, FILES = 256, LINK_CAP = 256, CAPABILITIES_MAX = 64 };
#define DATA_MAX  ((rlim_t)8 << 30) /* bytes */
#define SPACE_MAX ((rlim_t)1 << 40) /* bytes: Go reserves much more than it uses */

_Noreturn static void fail(const struct cage_setup *setup, enum cage_step step)
{
    struct cage_failure failure = {.step = step, .why = errno};
    if (write(setup->report, &failure, sizeof failure) < 0)
        _exit(126);
    _exit(127);
}

static void end(int signal)
{
    _exit(128 + signal);
}

static bool parent_is_gone(const struct cage_setup *setup)
{
    struct pollfd gate = {.fd = setup->gate, .events = POLLIN};
    return poll(&gate, 1, 0) != 0;
}

/* Nobody from here on, who ends with the parent. The raw calls act on this thread alone: the C library would
 * look for the parent's other threads. Init gets only signals that it handles. */
static bool become_nobody(const struct cage_setup *setup)
{
    char mapped;
    sigset_t none;
    sigemptyset(&none);
    close(setup->gate_parent);
    for (int sig = 1; sig < 32; sig++)
        if (sig != SIGKILL && sig != SIGSTOP)
            signal(sig, sig == SIGTERM ? end : SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (read(setup->gate, &mapped, 1) != 1)
        _exit(127); /* the parent reports it, if it is still there */
    syscall(SYS_setgroups, 0,
            NULL); /* an ordinary user may not; no file is in reach that a group could read */
    if (syscall(SYS_setresgid, CAGE_USER, CAGE_USER, CAGE_USER) < 0 ||
        syscall(SYS_setresuid, CAGE_USER, CAGE_USER, CAGE_USER) < 0)
        return false;
    /* the change of user clears the first; the second keeps the parent's memory, of which this is a copy,
     * from the program */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return false;
    if (parent_is_gone(setup))
        _exit(127);
    return true;
}

/* Where this machine has a link, such as lib -> usr/lib, so has the cage. */
static bool bind_library(const char *from, const char *to)
{
    char link[LINK_CAP];
    struct stat st;
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    ssize_t len = readlink(from, link, sizeof link - 1);
    if (len >= 0) {
        link[len] = '\0';
        return symlink(link, to) == 0;
    }
    if (stat(from, &st) < 0)
        return errno == ENOENT;
    return mkdir(to, 0755) == 0 && mount(from, to, NULL, MS_BIND | MS_REC, NULL) == 0 &&
           mount_setattr(AT_FDCWD, to, AT_RECURSIVE, &attr, sizeof attr) == 0;
}

static bool bind_libraries(void)
{
    return mkdir("usr", 0755) == 0 && bind_library("/usr/lib", "usr/lib") &&
           bind_library("/usr/lib64", "usr/lib64") && bind_library("/lib", "lib") &&
           bind_library("/lib64", "lib64");
}

/* An empty root. It is made over /proc, the one folder that is there wherever this got so far. */
static bool make_root(void)
{
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("cage", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                 "mode=0755,size=64k,nr_inodes=32") == 0 &&
           chdir("/proc") == 0;
}

static bool enter_root(void)
{
    return syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0 &&
           mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                 NULL) == 0;
}

static bool set_limits(void)
{
    static const struct {
        __rlimit_resource_t what;
        rlim_t max;
    } limits[] = {
        {RLIMIT_CPU, CPU_SECONDS}, {RLIMIT_FSIZE, 0},      {RLIMIT_NPROC, PROCESSES}, {RLIMIT_NOFILE, FILES},
        {RLIMIT_DATA, DATA_MAX},   {RLIMIT_AS, SPACE_MAX}, {RLIMIT_CORE, 0},          {RLIMIT_MSGQUEUE, 0},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct rlimit limit;
        if (getrlimit(limits[i].what, &limit) < 0)
            return false;
        if (limit.rlim_max > limits[i].max)
            limit.rlim_max = limits[i].max;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(limits[i].what, &limit) < 0)
            return false;
    }
    return true;
}

static bool drop_rights(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    for (int cap = 0; cap < CAPABILITIES_MAX; cap++)
        if (prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EINVAL)
            return false;
    return syscall(SYS_capset, &head, none) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           set_limits() && cage_filter_install();
}

/* The program's process. */
_Noreturn static void start(const struct cage_setup *setup)
{
    char *const env[] = {NULL};
    signal(SIGTERM, SIG_DFL);
    if (dup2(setup->in, 0) < 0 || dup2(setup->out, 1) < 0 || dup2(setup->errs, 2) < 0 ||
        syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0 || !drop_rights())
        fail(setup, CAGE_RIGHTS);
    syscall(SYS_execveat, setup->program, "", setup->argv, env, AT_EMPTY_PATH);
    fail(setup, CAGE_START);
}

/* What init does until the program ends. The kernel kills everything inside with it. */
_Noreturn static void watch(pid_t program)
{
    syscall(SYS_close_range, 0, ~0U, 0);
    for (;;) {
        int status;
        pid_t ended = waitpid(-1, &status, 0);
        if (ended == program)
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        if (ended < 0 && errno != EINTR)
            _exit(127);
    }
}

_Noreturn void cage_inside(const struct cage_setup *setup)
{
    if (!become_nobody(setup))
        fail(setup, CAGE_IDENTITY);
    if (!make_root())
        fail(setup, CAGE_ROOT);
    if (setup->dynamic && !bind_libraries())
        fail(setup, CAGE_LIBRARIES);
    if (!enter_root())
        fail(setup, CAGE_ROOT);
    pid_t program = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (program < 0)
        fail(setup, CAGE_START);
    if (program == 0)
        start(setup);
    watch(program);
}
