#include "io/file.h"

#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fs.h>

#include "text/path.h"

enum { COPY_STEP = 8 << 20, BOUNCE = 1 << 20 };

bool file_is_private(const struct stat *st)
{
    mode_t others = st->st_uid == 0 && geteuid() != 0 ? 037 : 077;
    return (st->st_mode & others) == 0;
}

static int check_offset(size_t len, uint64_t off, const char *name, struct err *err)
{
    if (off > INT64_MAX || len > INT64_MAX - off)
        return err_set(err, ERR_IO, 0, "%s: offset beyond the largest possible file", name);
    return 0;
}

int file_pread(int fd, void *bytes, size_t len, uint64_t off, const char *name, struct err *err)
{
    if (check_offset(len, off, name, err) < 0)
        return -1;
    unsigned char *at = bytes;
    while (len > 0) {
        ssize_t n = pread(fd, at, len, (off_t)off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "read %s", name);
        if (n == 0)
            return err_set(err, ERR_IO, 0, "read %s: unexpected end of file at byte %llu", name,
                           (unsigned long long)off);
        at += n;
        len -= (size_t)n;
        off += (uint64_t)n;
    }
    return 0;
}

int file_pwrite(int fd, const void *bytes, size_t len, uint64_t off, const char *name, struct err *err)
{
    if (check_offset(len, off, name, err) < 0)
        return -1;
    const unsigned char *at = bytes;
    while (len > 0) {
        ssize_t n = pwrite(fd, at, len, (off_t)off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "write %s", name);
        at += n;
        len -= (size_t)n;
        off += (uint64_t)n;
    }
    return 0;
}

int file_write(int fd, const void *bytes, size_t len, const char *name, struct err *err)
{
    const unsigned char *at = bytes;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "write %s", name);
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

int file_read_fd(int fd, size_t max, struct buf *ret, const char *name, struct err *err)
{
    char chunk[64 << 10];
    size_t before = ret->len;
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "read %s", name);
        if (n == 0)
            return buf_check(ret, name, err);
        if ((size_t)n > max - (ret->len - before))
            return err_set(err, ERR_VERIFY, 0, "%s: larger than the %zu bytes allowed", name, max);
        buf_add(ret, chunk, (size_t)n);
        if (buf_check(ret, name, err) < 0)
            return -1;
    }
}

int file_open(const char *path, int *ret_fd, uint64_t *ret_size, struct err *err)
{
    /* O_NONBLOCK: opening a FIFO must not hang before it can be refused */
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_sys(err, errno, "open %s", path);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "stat %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_IO, 0, "%s is not a regular file", path);
    *ret_fd = steal_fd(&fd);
    if (ret_size)
        *ret_size = (uint64_t)st.st_size;
    return 0;
}

int file_check_end(int fd, uint64_t size, const char *name, struct err *err)
{
    char byte;
    ssize_t n = 0;
    if (check_offset(sizeof byte, size, name, err) < 0)
        return -1;
    do
        n = pread(fd, &byte, sizeof byte, (off_t)size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys(err, errno, "read %s", name);
    if (n > 0)
        return err_set(
            err, ERR_IO, 0,
            "%s holds more than its size of %llu bytes: the kernel generates it, or another program is "
            "writing it; use a copy of it",
            name, (unsigned long long)size);
    return 0;
}

int file_read(const char *path, size_t max, struct buf *ret, struct err *err)
{
    cleanup_close int fd = -1;
    if (file_open(path, &fd, NULL, err) < 0)
        return -1;
    return file_read_fd(fd, max, ret, path, err);
}

enum { TICKS_MAX = 50, TICK_NS = 1000000 };

static bool is_after(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

int file_identify(int fd, struct file_identity *ret, struct err *err)
{
    struct stat st;
    for (int i = 0; i < TICKS_MAX; i++) {
        struct timespec now;
        const struct timespec tick = {.tv_nsec = TICK_NS};
        if (fstat(fd, &st) < 0 || clock_gettime(CLOCK_REALTIME_COARSE, &now) < 0)
            return err_sys(err, errno, "stat a file");
        /* do not wait for a time far in the future */
        if (is_after(&now, &st.st_ctim) || st.st_ctim.tv_sec > now.tv_sec + 1)
            break;
        nanosleep(&tick, NULL);
    }
    *ret = (struct file_identity){.device = (uint64_t)st.st_dev,
                                  .inode = (uint64_t)st.st_ino,
                                  .size = (uint64_t)st.st_size,
                                  .mtime = st.st_mtim,
                                  .ctime = st.st_ctim};
    return 0;
}

bool file_identity_equal(const struct file_identity *a, const struct file_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec &&
           a->ctime.tv_sec == b->ctime.tv_sec && a->ctime.tv_nsec == b->ctime.tv_nsec;
}

/* Copies data without holes, inside the kernel when both file systems support it. */
static int copy_data(int src, uint64_t src_off, int dst, uint64_t dst_off, uint64_t len,
                     const struct run *run, struct err *err)
{
    bool in_kernel = true;
    cleanup_free unsigned char *bounce = NULL;
    while (len > 0) {
        if (run_check(run, err) < 0)
            return -1;
        size_t step = len < COPY_STEP ? (size_t)len : (size_t)COPY_STEP;
        if (in_kernel) {
            off_t in = (off_t)src_off, out = (off_t)dst_off;
            ssize_t n = copy_file_range(src, &in, dst, &out, step, 0);
            if (n > 0) {
                src_off += (uint64_t)n;
                dst_off += (uint64_t)n;
                len -= (uint64_t)n;
                continue;
            }
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
                return err_sys(err, errno, "copy");
            in_kernel = false; /* EXDEV, EINVAL, ENOSYS or end of file: a plain read shows which */
        }
        if (!bounce && !(bounce = malloc(BOUNCE)))
            return err_oom(err);
        if (step > BOUNCE)
            step = BOUNCE;
        if (file_pread(src, bounce, step, src_off, "the source of a copy", err) < 0 ||
            file_pwrite(dst, bounce, step, dst_off, "the target of a copy", err) < 0)
            return -1;
        src_off += step;
        dst_off += step;
        len -= step;
    }
    return 0;
}

int file_copy(int src, uint64_t src_off, int dst, uint64_t dst_off, uint64_t len, const struct run *run,
              struct err *err)
{
    if (check_offset(len, src_off, "copy", err) < 0 || check_offset(len, dst_off, "copy", err) < 0)
        return -1;
    uint64_t end = src_off + len;
    for (uint64_t at = src_off; at < end;) {
        off_t data = lseek(src, (off_t)at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            return 0;
        if (data < 0) /* the file system does not report holes */
            return copy_data(src, at, dst, dst_off + (at - src_off), end - at, run, err);
        if ((uint64_t)data >= end)
            return 0;
        off_t hole = lseek(src, data, SEEK_HOLE);
        uint64_t stop = hole < 0 || (uint64_t)hole > end ? end : (uint64_t)hole;
        uint64_t from = (uint64_t)data;
        if (copy_data(src, from, dst, dst_off + (from - src_off), stop - from, run, err) < 0)
            return -1;
        at = stop;
    }
    return 0;
}

int file_sha256(int fd, uint64_t off, uint64_t len, const struct run *run, struct sha256 *ret,
                struct err *err)
{
    cleanup_free unsigned char *chunk = malloc(BOUNCE);
    if (!chunk)
        return err_oom(err);
    cleanup_hasher struct hasher hasher = {0};
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0)
        return -1;
    while (len > 0) {
        size_t step = len < BOUNCE ? (size_t)len : (size_t)BOUNCE;
        if (run_check(run, err) < 0 || file_pread(fd, chunk, step, off, "a file to be hashed", err) < 0 ||
            hasher_add(&hasher, chunk, step, err) < 0)
            return -1;
        off += step;
        len -= step;
    }
    struct sha256 out;
    if (hasher_end(&hasher, out.bytes, err) < 0)
        return -1;
    *ret = out;
    return 0;
}

int file_home(char **ret, struct err *err)
{
    const char *home = getenv("HOME");
    char scratch[16 << 10];
    struct passwd entry, *found = NULL;
    if (!home || home[0] != '/') {
        if (getpwuid_r(geteuid(), &entry, scratch, sizeof scratch, &found) != 0 || !found)
            found = NULL;
        home = found ? found->pw_dir : NULL;
    }
    *ret = home && home[0] == '/' ? strdup(home) : NULL;
    return home && home[0] == '/' && !*ret ? err_oom(err) : 0;
}

int file_mkdirs(const char *path, mode_t mode, struct err *err)
{
    char made[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof made)
        return err_set(err, ERR_IO, ENAMETOOLONG, "folder \"%.100s\"", path);
    memcpy(made, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (made[i] != '/' && made[i] != '\0')
            continue;
        char keep = made[i];
        made[i] = '\0';
        if (mkdir(made, mode) < 0 && errno != EEXIST) {
            int why = errno; /* mkdir may fail with EROFS for a parent that exists */
            struct stat st;
            if (stat(made, &st) < 0 || !S_ISDIR(st.st_mode))
                return err_sys(err, why, "make folder %s", made);
        }
        made[i] = keep;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return err_sys(err, errno, "folder %s", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_IO, 0, "%s is not a folder", path);
    return 0;
}
