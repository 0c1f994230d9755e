/* A static program for tests of the cage: it tries to do harm in one way, named by its first argument, and
 * exits with 0 when it could not. As "kube-..." it answers like a component of Kubernetes that knows only
 * --good. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int complain(const char *what)
{
    printf("could %s\n", what);
    return 1;
}

/* Prints what it was given. */
static int show(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        printf("%s%s", i > 0 ? " " : "", argv[i]);
    printf("\n%s", environ[0] ? environ[0] : "");
    fprintf(stderr, "said\n");
    return 7;
}

static int write_files(void)
{
    static const char *const paths[] = {"/a", "/tmp/a", "/dev/a", "/usr/a", "/usr/lib/a", "a"};
    int found = 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (open(paths[i], O_CREAT | O_WRONLY, 0600) >= 0)
            found |= complain(paths[i]);
    if (mkdir("/a", 0700) == 0 || symlink("a", "/b") == 0 || chmod("/", 0777) == 0)
        found |= complain("change the root");
    signal(SIGXFSZ, SIG_IGN);
    int fd = memfd_create("a", 0);
    if (fd >= 0 && write(fd, "a", 1) == 1)
        found |= complain("write to memory files");
    return found;
}

static int look_around(void)
{
    int found = 0;
    DIR *root = opendir("/");
    for (struct dirent *entry; root && (entry = readdir(root));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            found |= complain(entry->d_name);
    if (root)
        closedir(root);
    if (access("/proc/self", F_OK) == 0 || access("/etc/passwd", F_OK) == 0)
        found |= complain("see files");
    for (int fd = 3; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            found |= complain("use an open file");
    if (getuid() == 0 || getpid() == 1)
        found |= complain("be root or init");
    return found;
}

static int use_network(void)
{
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK, AF_VSOCK, AF_PACKET};
    int found = 0;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (socket(families[i], SOCK_STREAM, 0) >= 0 || socket(families[i], SOCK_RAW, 0) >= 0)
            found |= complain("open a socket");
    return found;
}

static int get_rights(void)
{
    int found = 0;
    if (setuid(0) == 0 || setgid(0) == 0)
        found |= complain("become root");
    if (unshare(CLONE_NEWUSER) == 0 || syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) >= 0)
        found |= complain("make a user namespace");
    if (mount("a", "/", "tmpfs", 0, NULL) == 0 || umount2("/", MNT_DETACH) == 0 || chroot("/") == 0)
        found |= complain("mount");
    if (ptrace(PTRACE_SEIZE, 1, 0, 0) == 0)
        found |= complain("trace init");
    if (syscall(SYS_keyctl, 0, -3, 1) >= 0)
        found |= complain("use keys");
    if (sethostname("a", 1) == 0)
        found |= complain("name the machine");
    if (kill(1, SIGKILL) < 0)
        printf("init: %s\n", strerror(errno));
    return found;
}

/* Leaves children behind that ask not to be killed, and that hold the output open. */
static int leave_children(void)
{
    for (int i = 0; i < 8; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, 0);
            setsid();
            signal(SIGTERM, SIG_IGN);
            for (;;)
                pause();
        }
    return 0;
}

_Noreturn static void multiply(void)
{
    for (;;)
        if (fork() < 0)
            usleep(1000);
}

_Noreturn static void endless(void)
{
    signal(SIGPIPE, SIG_IGN);
    for (;;)
        if (puts("again and again and again") < 0)
            pause();
}

static int swallow_memory(void)
{
    size_t size = (size_t)64 << 30;
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) !=
                   MAP_FAILED
               ? complain("take memory")
               : 0;
}

static int component(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "--", 2) == 0 && strncmp(argv[i], "--good", 6) != 0 &&
            strcmp(argv[i], "--version") != 0) {
            fprintf(stderr, "Usage:\n  %s [flags]\n\nError: unknown flag: %.*s\n", argv[0],
                    (int)strcspn(argv[i], "="), argv[i]);
            return 1;
        } else if (strcmp(argv[i], "--good=bad") == 0) {
            fprintf(stderr, "Error: invalid argument \"bad\" for \"--good\" flag: must be good\n");
            return 1;
        } else if (strcmp(argv[i], "--good=crash") == 0) {
            return raise(SIGSEGV);
        }
    puts("Kubernetes v1.36.97");
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    const char *slash = strrchr(argv[0], '/');
    if (strcmp(name, "kube-controller-manager") == 0) {
        fprintf(stderr, "hyperkube: unknown component \"%s\"\n", name);
        return 2;
    }
    if (strncmp(name, "kube", 4) == 0)
        return component(argc - 1, argv + 1);
    if (strncmp(slash ? slash + 1 : argv[0], "kube", 4) == 0)
        return component(argc, argv);
    if (strcmp(name, "show") == 0)
        return show(argc, argv);
    if (strcmp(name, "write") == 0)
        return write_files();
    if (strcmp(name, "look") == 0)
        return look_around();
    if (strcmp(name, "network") == 0)
        return use_network();
    if (strcmp(name, "rights") == 0)
        return get_rights();
    if (strcmp(name, "leave") == 0)
        return leave_children();
    if (strcmp(name, "multiply") == 0)
        multiply();
    if (strcmp(name, "endless") == 0)
        endless();
    if (strcmp(name, "memory") == 0)
        return swallow_memory();
    if (strcmp(name, "forever") == 0)
        for (;;)
            pause();
    return 99;
}
