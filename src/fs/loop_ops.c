#include "fs/loop_ops.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "base/path.h"
#include "io/file.h"

enum { BOUNCE = 1 << 20, TREE_DEPTH_MAX = 256 };

/* The kernel resolves as if TOP were the root: absolute links and ".." stay below it (openat2(2), RESOLVE_IN_ROOT). */
int loop_open(int top, const char *path, int flags)
{
    struct open_how how = {.flags = (__u64)(flags | O_CLOEXEC),
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    return (int)syscall(SYS_openat2, top, path, &how, sizeof how);
}

static int open_parent(int top, const struct plan_op *op, struct err *err)
{
    char parent[PATH_CAP];
    path_parent(op->path, parent);
    int fd = loop_open(top, parent, O_RDONLY | O_DIRECTORY);
    return fd < 0 ? err_set(err, ERR_LAYOUT, errno, "open the folder it goes into") : fd;
}

static int set_meta(int fd, const struct plan_op *op, int64_t epoch, struct err *err)
{
    const struct timespec times[2] = {{.tv_sec = epoch}, {.tv_sec = epoch}};
    /* the owner first: changing it clears set-user-id bits and capabilities */
    if (fchown(fd, op->uid, op->gid) < 0 || fchmod(fd, op->mode) < 0)
        return err_sys(err, errno, "set owner or mode");
    for (size_t i = 0; i < op->xattr_count; i++)
        if (fsetxattr(fd, op->xattrs[i].name, op->xattrs[i].value, op->xattrs[i].size, 0) < 0)
            return err_sys(err, errno, "set attribute %s", op->xattrs[i].name);
    return futimens(fd, times) < 0 ? err_sys(err, errno, "set times") : 0;
}

static int remove_below(int dir, const char *name, unsigned depth, struct err *err)
{
    if (depth > TREE_DEPTH_MAX)
        return err_set(err, ERR_LAYOUT, 0, "a folder tree that is too deep");
    if (unlinkat(dir, name, 0) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_set(err, ERR_LAYOUT, errno, "remove");
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list) {
        int why = errno;
        cleanup_close_fn(&fd);
        return err_set(err, ERR_LAYOUT, why, "remove");
    }
    int r = 0;
    for (struct dirent *entry; r == 0 && (entry = readdir(list));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            r = remove_below(dirfd(list), entry->d_name, depth + 1, err);
    closedir(list);
    if (r == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0)
        return err_sys(err, errno, "remove");
    return r;
}

static int write_content(int fd, const struct blob *blob, const struct run *run, struct err *err)
{
    cleanup_free unsigned char *chunk = malloc(BOUNCE);
    cleanup_hasher struct hasher hasher = {0};
    if (!chunk)
        return err_oom(err);
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0)
        return -1;
    for (uint64_t at = 0; at < blob->size;) {
        size_t piece = blob->size - at < BOUNCE ? (size_t)(blob->size - at) : (size_t)BOUNCE;
        if (run_check(run, err) < 0 || blob_read(blob, chunk, piece, at, err) < 0 ||
            hasher_add(&hasher, chunk, piece, err) < 0 || file_write(fd, chunk, piece, "the file", err) < 0)
            return -1;
        at += piece;
    }
    struct sha256 found;
    if (hasher_end(&hasher, found.bytes, err) < 0)
        return -1;
    if (!sha256_equal(&found, &blob->sha256))
        return err_set(err, ERR_VERIFY, 0, "its content changed while it was written");
    return 0;
}

static int write_file(int parent, const char *name, const struct plan_op *op, int64_t epoch,
                      const struct run *run, struct err *err)
{
    if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
        return err_set(err, ERR_LAYOUT, errno, "replace what is there");
    cleanup_close int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, errno, "make the file");
    if (write_content(fd, &op->content, run, err) < 0)
        return -1;
    return set_meta(fd, op, epoch, err);
}

static int write_dir(int top, int parent, const char *name, const struct plan_op *op, int64_t epoch,
                     struct err *err)
{
    bool made = mkdirat(parent, name, 0700) == 0;
    if (!made && errno != EEXIST)
        return err_sys(err, errno, "make the folder");
    cleanup_close int fd = loop_open(top, op->path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return err_set(err, ERR_LAYOUT, errno, "a folder should be here, but something else is");
    return made || op->set_meta ? set_meta(fd, op, epoch, err) : 0;
}

static int write_symlink(int parent, const char *name, const struct plan_op *op, int64_t epoch,
                         struct err *err)
{
    const struct timespec times[2] = {{.tv_sec = epoch}, {.tv_sec = epoch}};
    if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
        return err_set(err, ERR_LAYOUT, errno, "replace what is there");
    if (symlinkat(op->target, parent, name) < 0)
        return err_sys(err, errno, "make the link");
    if (fchownat(parent, name, op->uid, op->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, errno, "set the link's owner or times");
    return 0;
}

static int touch(int fd, int64_t epoch, struct err *err)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = epoch}};
    return futimens(fd, times) < 0 ? err_sys(err, errno, "set the folder's time") : 0;
}

int loop_write_op(int top, const struct plan_op *op, int64_t epoch, const struct run *run, struct err *err)
{
    const char *name = path_base(op->path);
    if (*name == '\0') /* the top itself is there */
        return op->set_meta ? set_meta(top, op, epoch, err) : 0;
    cleanup_close int parent = open_parent(top, op, err);
    if (parent < 0)
        return -1;
    int r = -1;
    switch (op->kind) {
    case PLAN_DIR: {
        struct stat before, after;
        r = fstat(parent, &before) < 0 ? err_sys(err, errno, "look at the folder")
                                       : write_dir(top, parent, name, op, epoch, err);
        if (r == 0 && fstat(parent, &after) == 0 && before.st_nlink == after.st_nlink &&
            before.st_mtim.tv_nsec == after.st_mtim.tv_nsec && before.st_mtim.tv_sec == after.st_mtim.tv_sec)
            return 0; /* it was there: nothing changed in its parent */
        break;
    }
    case PLAN_FILE:
        r = write_file(parent, name, op, epoch, run, err);
        break;
    case PLAN_SYMLINK:
        r = write_symlink(parent, name, op, epoch, err);
        break;
    case PLAN_REMOVE:
        r = remove_below(parent, name, 0, err);
        break;
    }
    return r < 0 ? -1 : touch(parent, epoch, err);
}
