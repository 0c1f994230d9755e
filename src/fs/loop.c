#include "fs/loop.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "fs/loop_ops.h"
#include "io/file.h"

/* The mount lies over a folder that every system has, in a namespace that only the child sees: nothing is made that could be
 * left behind, and the kernel takes mount and loop device away with the child, however it ends. */
static const char MOUNT_POINT[] = "/mnt";
enum { LOOP_TRIES = 20 };

static const char *kernel_name(enum fs_type fs)
{
    switch (fs) {
    case FS_EXT:
        return "ext4";
    case FS_XFS:
        return "xfs";
    case FS_BTRFS:
        return "btrfs";
    case FS_VFAT:
        return "vfat";
    case FS_NONE:
    case FS_OTHER:
        break;
    }
    return NULL;
}

int loop_possible(const struct partition *partition, struct err *err)
{
    if (!kernel_name(partition->fs))
        return err_set(err, ERR_LAYOUT, 0, "%s (partition %u): it holds no file system that can be written",
                       partition->label, partition->number);
    if (geteuid() != 0)
        return err_set(err, ERR_LAYOUT, 0,
                       "%s (partition %u): %s can be written through a loop device only: run as root, or "
                       "leave this partition "
                       "alone",
                       partition->label, partition->number, kernel_name(partition->fs));
    return 0;
}

/* What the child is to do. */
struct job {
    const struct disk *disk;
    const struct partition *partition;
    const struct plan_op *ops;
    size_t count;
    int64_t epoch; /* seconds since 1970 */
    bool check;    /* look only */
    const struct run *run;
};

/* A loop device over the partition; it detaches itself when nobody uses it any more. */
static int attach(const struct job *job, char path[static 32], int *ret_fd, struct err *err)
{
    cleanup_close int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        return err_set(err, ERR_LAYOUT, errno, "this machine has no loop devices");
    const __u32 flags = LO_FLAGS_AUTOCLEAR | (job->check ? LO_FLAGS_READ_ONLY : 0);
    const struct loop_config config = {.fd = (__u32)job->disk->fd,
                                       .info = {.lo_offset = job->partition->start,
                                                .lo_sizelimit = job->partition->size,
                                                .lo_flags = flags}};
    int why = EBUSY;
    for (int i = 0; i < LOOP_TRIES; i++) { /* another process may take the free one first */
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0)
            return err_sys(err, errno, "get a loop device");
        snprintf(path, 32, "/dev/loop%d", number);
        if (mknod(path, S_IFBLK | 0600, (dev_t)(7 << 8 | number)) < 0 && errno != EEXIST)
            return err_sys(err, errno, "make %s", path);
        cleanup_close int fd = open(path, (job->check ? O_RDONLY : O_RDWR) | O_CLOEXEC);
        if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) == 0) {
            *ret_fd = steal_fd(&fd);
            return 0;
        }
        why = errno;
    }
    return err_sys(err, why, "set up a loop device");
}

static int do_ops(int top, const struct job *job, struct err *err)
{
    if (job->check)
        return loop_check_ops(top, job->ops, job->count, job->run, err);
    for (size_t i = 0; i < job->count; i++)
        if (run_check(job->run, err) < 0 || loop_write_op(top, &job->ops[i], job->epoch, job->run, err) < 0)
            return err_wrap(err, "%s", job->ops[i].image_path);
    return syncfs(top) < 0 ? err_sys(err, errno, "write it") : 0;
}

/* In the child: everything in a namespace of its own. */
static int work(const struct job *job, struct err *err)
{
    char device[32];
    cleanup_close int loop = -1;
    const struct partition *partition = job->partition;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_set(err, ERR_LAYOUT, errno,
                       "make a private mount namespace (in a chroot the top must be a mount point)");
    if (attach(job, device, &loop, err) < 0)
        return -1;
    unsigned long flags = MS_NOATIME | MS_NODEV | MS_NOSUID | MS_NOEXEC | (job->check ? MS_RDONLY : 0);
    /* vfat keeps no modes: "quiet" lets setting them pass */
    const char *options = partition->fs == FS_VFAT ? "quiet" : NULL;
    if (mount(device, MOUNT_POINT, kernel_name(partition->fs), flags, options) < 0)
        return err_set(err, ERR_LAYOUT, errno, "mount %s (partition %u) as %s", partition->label,
                       partition->number, kernel_name(partition->fs));
    cleanup_close int top = open(MOUNT_POINT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0)
        return err_sys(err, errno, "open the mounted file system");
    if (do_ops(top, job, err) < 0)
        return err_wrap(err, "%s (partition %u)", partition->label, partition->number);
    cleanup_close_fn(&top);
    top = -1;
    if (umount2(MOUNT_POINT, 0) < 0)
        return err_sys(err, errno, "unmount %s (partition %u)", partition->label, partition->number);
    if (fsync(loop) < 0)
        return err_sys(err, errno, "write %s", device);
    return 0;
}

/* The child's verdict is a struct err through a pipe: kind ERR_NONE when all went well. */
static int read_verdict(int fd, struct err *err)
{
    struct err verdict = {.kind = ERR_INTERNAL};
    size_t got = 0;
    while (got < sizeof verdict) {
        ssize_t n = read(fd, (char *)&verdict + got, sizeof verdict - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(err, ERR_INTERNAL, 0, "the process that writes through the loop device died");
        got += (size_t)n;
    }
    if (verdict.kind == ERR_NONE)
        return 0;
    *err = verdict;
    return -1;
}

static int in_child(const struct job *job, struct err *err)
{
    int pipes[2];
    if (job->disk->fd < 0)
        return err_set(err, ERR_INTERNAL, 0, "a disk in memory has no loop device");
    if (loop_possible(job->partition, err) < 0)
        return -1;
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return err_sys(err, errno, "pipe");
    cleanup_close int in = pipes[0];
    cleanup_close int out = pipes[1];
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return err_sys(err, errno, "fork");
    if (pid == 0) {
        struct err verdict = {0};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct err ignored = {0};
        if (getppid() != parent)
            _exit(1);
        if (work(job, &verdict) == 0)
            verdict = (struct err){0};
        _exit(file_write(out, &verdict, sizeof verdict, "the pipe", &ignored) < 0);
    }
    cleanup_close_fn(&out);
    out = -1;
    int r = read_verdict(in, err);
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return r;
}

int loop_check(const struct disk *disk, const struct partition *partition, const struct plan_op *ops,
               size_t count, const struct run *run, struct err *err)
{
    const struct job job = {
        .disk = disk, .partition = partition, .ops = ops, .count = count, .check = true, .run = run};
    return in_child(&job, err);
}

int loop_apply(struct disk *disk, const struct partition *partition, const struct plan_op *ops, size_t count,
               int64_t epoch, const struct run *run, struct err *err)
{
    const struct job job = {
        .disk = disk, .partition = partition, .ops = ops, .count = count, .epoch = epoch, .run = run};
    return in_child(&job, err);
}
