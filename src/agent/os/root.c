#include "agent/os/root.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "text/path.h"

enum { TEMP_CAP = NAME_CAP + 8 };

int root_open(const char *path, struct root *ret, struct err *err)
{
    struct stat here, slash;
    cleanup_close int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &here) < 0 || stat("/", &slash) < 0)
        return err_sys(err, errno, "open the root %s", path);
    ret->whole = here.st_dev == slash.st_dev && here.st_ino == slash.st_ino;
    ret->fd = steal_fd(&fd);
    return 0;
}

void root_close(struct root *root)
{
    cleanup_close_fn(&root->fd);
    root->fd = -1;
}

int root_openat(const struct root *root, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, root->fd, path, &how, sizeof how);
    /* EPERM: a seccomp filter older than the call */
    if (fd < 0 && root->whole && (errno == ENOSYS || errno == EPERM))
        return open(path, flags | O_CLOEXEC);
    return (int)fd;
}

int root_real(const struct root *root, const char *path, char ret[static PATH_CAP])
{
    char link[64];
    cleanup_close int fd = root_openat(root, path, O_PATH);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = fd < 0 ? -1 : readlink(link, ret, PATH_CAP - 1);
    if (len < 0)
        return -1;
    ret[len] = '\0';
    return 0;
}

static int read_all(int fd, const char *path, struct buf *ret, struct err *err)
{
    char piece[16384];
    for (;;) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "read %s", path);
        if (n == 0)
            return 0;
        buf_add(ret, piece, (size_t)n);
        if (ret->failed)
            return err_set(err, ERR_VERIFY, 0, "%s is larger than %zu bytes", path, ret->max);
    }
}

int root_read(const struct root *root, const char *path, struct buf *ret, bool *ret_found, struct err *err)
{
    struct stat st;
    /* O_NONBLOCK: a FIFO in its place must not hold the boot */
    cleanup_close int fd = root_openat(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        *ret_found = false;
        return 0;
    }
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "open %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_VERIFY, 0, "%s is not a regular file", path);
    if (read_all(fd, path, ret, err) < 0)
        return -1;
    *ret_found = true;
    return 0;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Opens the folder of PATH; makes it, and the folders above it, if missing. */
static int open_folder(const struct root *root, const char *path, struct err *err)
{
    char folder[PATH_CAP];
    path_parent(path, folder);
    int fd = root_openat(root, folder, O_RDONLY | O_DIRECTORY);
    if (fd >= 0)
        return fd;
    if (errno != ENOENT || strcmp(folder, "/") == 0)
        return err_sys(err, errno, "open the folder %s", folder);
    cleanup_close int above = open_folder(root, folder, err);
    if (above < 0)
        return -1;
    if (mkdirat(above, path_base(folder), 0700) < 0 && errno != EEXIST)
        return err_sys(err, errno, "make the folder %s", folder);
    fd = root_openat(root, folder, O_RDONLY | O_DIRECTORY);
    return fd >= 0 ? fd : err_sys(err, errno, "open the folder %s", folder);
}

/* The name is fixed, so that the next run replaces what a killed run left. */
static int write_temp(int folder, const char *temp, const void *bytes, size_t len, mode_t mode)
{
    if (unlinkat(folder, temp, 0) < 0 && errno != ENOENT)
        return -1;
    cleanup_close int fd = openat(folder, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || write_all(fd, bytes, len) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0)
        return -1;
    return 0;
}

static void temp_name(const char *path, char ret[static TEMP_CAP])
{
    snprintf(ret, TEMP_CAP, ".%s.new", path_base(path));
}

/* Removes the temporary file that a killed run may have left: it may hold a key. Usually there is none. */
static void drop_temp(const struct root *root, const char *path)
{
    char folder[PATH_CAP], temp[TEMP_CAP];
    path_parent(path, folder);
    temp_name(path, temp);
    cleanup_close int fd = root_openat(root, folder, O_RDONLY | O_DIRECTORY);
    if (fd >= 0)
        (void)unlinkat(fd, temp, 0);
}

int root_write(const struct root *root, const char *path, const void *bytes, size_t len, mode_t mode,
               struct err *err)
{
    char temp[TEMP_CAP];
    const char *name = path_base(path);
    temp_name(path, temp);
    cleanup_close int folder = open_folder(root, path, err);
    if (folder < 0)
        return err_wrap(err, "write %s", path);
    if (write_temp(folder, temp, bytes, len, mode) < 0 || renameat(folder, temp, folder, name) < 0) {
        int saved = errno;
        (void)unlinkat(folder, temp, 0);
        return err_sys(err, saved, "write %s", path);
    }
    if (fsync(folder) < 0)
        return err_sys(err, errno, "write %s", path);
    return 0;
}

int root_keep(const struct root *root, const char *path, const void *bytes, size_t len, mode_t mode,
              bool *ret_changed, struct err *err)
{
    cleanup_buf_wipe struct buf has = BUF_INIT(len);
    cleanup_close int fd = root_openat(root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    struct err unread;
    bool found = false;
    bool same = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == mode &&
                (size_t)st.st_size == len && root_read(root, path, &has, &found, &unread) == 0 && found &&
                has.len == len && (len == 0 || memcmp(has.data, bytes, len) == 0);
    *ret_changed = !same;
    if (same)
        drop_temp(root, path);
    return same ? 0 : root_write(root, path, bytes, len, mode, err);
}

int root_remove(const struct root *root, const char *path, struct err *err)
{
    char folder[PATH_CAP];
    path_parent(path, folder);
    cleanup_close int fd = root_openat(root, folder, O_RDONLY | O_DIRECTORY);
    if ((fd < 0 || unlinkat(fd, path_base(path), 0) < 0) && errno != ENOENT)
        return err_sys(err, errno, "remove %s", path);
    return 0;
}
