/* struct newfile of io/file.h: files that appear complete or not at all. */
#include "io/file.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

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

/* A name beside FINAL for a file that could not be unnamed, or that must be renamed over an old one. */
static char *temp_name(const char *final)
{
    char *temp = NULL;
    const char *base = base_of(final);
    if (asprintf(&temp, "%.*s.%s.XXXXXX.part", (int)(base - final), final, base) < 0)
        return NULL;
    return temp;
}

enum { PART_SUFFIX = 5 /* strlen(".part") */ };

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
    if (made.fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        made.temp = temp_name(final_path);
        made.fd = made.temp ? mkostemps(made.temp, PART_SUFFIX, O_CLOEXEC) : -1;
        if (made.fd < 0) /* nothing was made: nothing to unlink */
            free(steal_ptr(made.temp));
    }
    /* the mode is the caller's, not the umask's: outputs must not differ by who runs the program */
    if (made.fd < 0 || fchmod(made.fd, mode) < 0) {
        int why = errno;
        newfile_abort(&made);
        return err_sys(err, why, "make a file in %s", dir);
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

/* An unnamed file cannot be renamed over an old one: it gets a name beside it first. */
static int give_temp_name(struct newfile *file)
{
    for (int tries = 0; tries < 100; tries++) {
        char *temp = temp_name(file->final);
        if (!temp)
            return -1;
        int probe = mkostemps(temp, PART_SUFFIX, O_CLOEXEC); /* draws a free name */
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

static int sync_dir(const char *path, struct err *err)
{
    char dir[PATH_MAX];
    if (dir_of(path, dir, err) < 0)
        return -1;
    cleanup_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return err_sys(err, errno, "sync folder %s", dir);
    return 0;
}

int newfile_commit(struct newfile *file, bool excl, struct err *err)
{
    if (fsync(file->fd) < 0)
        return err_sys(err, errno, "sync %s", file->final);
    /* where nothing has the name yet, the name is taken in one step and there is no second name to leave
     * behind */
    int r = file->temp ? link(file->temp, file->final) : link_unnamed(file->fd, file->final);
    if (r < 0 && errno == EEXIST && !excl) {
        if (!file->temp && give_temp_name(file) < 0)
            return err_sys(err, errno, "name %s", file->final);
        r = rename(file->temp, file->final);
        if (r == 0)
            free(steal_ptr(file->temp));
    }
    if (r < 0)
        return err_sys(err, errno, "write %s", file->final);
    int synced = sync_dir(file->final, err);
    newfile_abort(file);
    return synced;
}

void newfile_abort(struct newfile *file)
{
    int saved = errno;
    if (file->temp)
        unlink(file->temp);
    if (file->fd >= 0)
        close(file->fd);
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
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
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
