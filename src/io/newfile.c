/* struct newfile of io/file.h: files that appear complete or not at all. */
#include "io/file.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

/* True for the errors that mean a file system lacks a feature: FAT has no links or modes, a FUSE server may
 * lack any call, and a network file system may lack flags. */
static bool is_unsupported(int why)
{
    return why == EPERM || why == ENOSYS || why == EOPNOTSUPP || why == EINVAL || why == EMLINK;
}

static int dir_of(const char *path, char out[static PATH_MAX], struct err *err)
{
    size_t len = strlen(path);
    if (len == 0 || len >= PATH_MAX)
        return err_set(err, ERR_IO, ENAMETOOLONG, "\"%.100s\"", path);
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (!slash)
        memcpy(out, ".", 2);
    else if (n == 0)
        memcpy(out, "/", 2);
    else {
        memcpy(out, path, n);
        out[n] = '\0';
    }
    return 0;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A temporary name beside FINAL, for file systems without unnamed files, and for renaming over an existing
 * file. */
static char *temp_name(const char *final)
{
    char *temp = NULL;
    const char *base = base_of(final);
    if (asprintf(&temp, "%.*s.%s.XXXXXX.part", (int)(base - final), final, base) < 0)
        return NULL;
    return temp;
}

enum { PART_SUFFIX = 5 /* strlen(".part") */ };

/* Sets MODE regardless of the umask, so that outputs do not depend on who runs the program. On FAT and the
 * like all files have the same mode: an error only for a file that others must not read. */
static int set_mode(int fd, mode_t mode, const char *path, struct err *err)
{
    struct stat st;
    if (fchmod(fd, mode) < 0 && !is_unsupported(errno))
        return err_sys(err, errno, "set the mode of %s", path);
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "stat %s", path);
    if ((mode & 077) == 0 && (st.st_mode & 077) != 0)
        return err_set(
            err, ERR_IO, 0,
            "%s: this file system cannot keep a file from other users (its mode would be %04o, not "
            "%04o): choose a folder on another one",
            path, st.st_mode & 0777, mode);
    return 0;
}

int newfile_open(struct newfile *file, const char *final_path, mode_t mode, struct err *err)
{
    char dir[PATH_MAX];
    if (dir_of(final_path, dir, err) < 0)
        return -1;
    struct newfile made = NEWFILE_EMPTY;
    made.final = strdup(final_path);
    if (!made.final)
        return err_oom(err);
    made.fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
    if (made.fd < 0) { /* many different errors mean that there are no unnamed files */
        made.temp = temp_name(final_path);
        made.fd = made.temp ? mkostemps(made.temp, PART_SUFFIX, O_CLOEXEC) : -1;
        if (made.fd < 0) /* no file to unlink */
            free(steal_ptr(made.temp));
    }
    if (made.fd < 0)
        err_sys(err, errno, "make a file in %s", dir);
    if (made.fd < 0 || set_mode(made.fd, mode, final_path, err) < 0) {
        newfile_abort(&made);
        return -1;
    }
    *file = made;
    return 0;
}

static int link_unnamed(int fd, const char *to)
{
    char from[32];
    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
}

/* An unnamed file cannot replace an existing one: it first gets a temporary name. */
static int link_temp_name(struct newfile *file)
{
    for (int tries = 0; tries < 100; tries++) {
        char *temp = temp_name(file->final);
        if (!temp)
            return -1;
        int probe = mkostemps(temp, PART_SUFFIX, O_CLOEXEC); /* finds a free name */
        if (probe < 0) {
            free(temp);
            return -1;
        }
        close(probe);
        unlink(temp);
        if (link_unnamed(file->fd, temp) == 0) {
            file->temp = temp;
            return 0;
        }
        int why = errno;
        free(temp);
        errno = why;
        if (why != EEXIST)
            return -1;
    }
    return -1;
}

/* Renames unless TO exists. Without renameat2's flags, an empty file first reserves the name. */
static int rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (!is_unsupported(errno))
        return -1;
    cleanup_close int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (rename(from, to) == 0)
        return 0;
    int why = errno;
    unlink(to);
    errno = why;
    return -1;
}

/* A temporary file gets its final name by rename, which every file system supports; EXCL needs more. */
static int set_final_name(struct newfile *file, bool excl)
{
    int r;
    if (!file->temp) {
        /* one step if the name is free, so no temporary name can be left behind */
        r = link_unnamed(file->fd, file->final);
        if (r == 0 || errno != EEXIST || excl || link_temp_name(file) < 0)
            return r == 0 ? 0 : -1;
    }
    if (!excl)
        r = rename(file->temp, file->final);
    else if ((r = link(file->temp, file->final)) == 0)
        return 0; /* newfile_abort() removes the temporary name */
    else if (is_unsupported(errno))
        r = rename_new(file->temp, file->final);
    if (r == 0)
        free(steal_ptr(file->temp));
    return r;
}

/* Some file systems cannot sync a folder, and a write-only folder cannot be opened to sync it. Neither is an
 * error: the file exists. */
static int sync_dir(const char *path, struct err *err)
{
    char dir[PATH_MAX];
    if (dir_of(path, dir, err) < 0)
        return -1;
    cleanup_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if ((fd < 0 && errno != EACCES) || (fd >= 0 && fsync(fd) < 0 && !is_unsupported(errno)))
        return err_sys(err, errno, "sync folder %s", dir);
    return 0;
}

int newfile_commit(struct newfile *file, bool excl, struct err *err)
{
    if (fsync(file->fd) < 0)
        return err_sys(err, errno, "sync %s", file->final);
    if (set_final_name(file, excl) < 0)
        return err_sys(err, errno, "write %s", file->final);
    int synced = sync_dir(file->final, err);
    newfile_abort(file);
    return synced;
}

void newfile_abort(struct newfile *file)
{
    int saved = errno;
    if (file->fd >= 0)
        close(file->fd);
    if (file->temp) /* after closing: FUSE and NFS rename an open file that is unlinked */
        unlink(file->temp);
    free(file->temp);
    free(file->final);
    *file = (struct newfile)NEWFILE_EMPTY;
    errno = saved;
}

int file_put(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err)
{
    cleanup_newfile struct newfile file = NEWFILE_EMPTY;
    if (newfile_open(&file, path, mode, err) < 0 || file_write(file.fd, bytes, len, path, err) < 0)
        return -1;
    return newfile_commit(&file, false, err);
}

int file_scratch(const char *dir, int *ret_fd, struct err *err)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if (fd < 0) {
        char temp[PATH_MAX];
        int n = snprintf(temp, sizeof temp, "%s/.bake.XXXXXX", dir);
        if (n < 0 || (size_t)n >= sizeof temp)
            return err_set(err, ERR_IO, ENAMETOOLONG, "%s", dir);
        fd = mkostemp(temp, O_CLOEXEC);
        if (fd >= 0)
            unlink(temp);
    }
    if (fd < 0)
        return err_sys(err, errno, "make a scratch file in %s", dir);
    *ret_fd = fd;
    return 0;
}
