/* Preloaded into bake: makes the Nth call of one class fail, or lists all calls.
 *
 *   FAULT_EXE    the path of the program; its children are not affected
 *   FAULT_CLASS  a name of the list below        FAULT_N   which call of that class, from 1; 0: list them
 *   FAULT_HOW    an errno's number, or "short": half of the bytes are read or written
 *   FAULT_ALL    if set, all later calls fail, too
 *   FAULT_LOG    gets the call that failed, or a line per call: class, name, callers (program offsets)
 *
 * Calls inside the C library are not seen, except for the memory of strdup() and asprintf(). */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum class {
    MEMORY,
    LIBRARY,
    OPEN,
    READ,
    WRITE,
    SYNC,
    NAME,
    SIZE,
    COPY,
    MAP,
    STAT,
    LOCK,
    FOLDER,
    REMOVE,
    MODE,
    CLOSE,
    CHILD,
    THREAD,
    CLASSES
};
static const char *const names[CLASSES] = {"memory", "library", "open", "read",  "write", "sync",
                                           "name",   "size",    "copy", "map",   "stat",  "lock",
                                           "folder", "remove",  "mode", "close", "child", "thread"};

enum { DEPTH = 60, LINE = 1024, LIST = 64 << 20 };

static atomic_long counts[CLASSES];
static atomic_size_t listed;
static char *lines;
static int class_wanted = -1, error_wanted;
static long nth;
static bool on, all, half;
static const char *log_path;
static struct place {
    const char *from, *to;
} bake, libc;
static __thread bool inside; /* calls made for logging are not counted */

static void put(const char *text, size_t len)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    syscall(SYS_write, fd, text, len);
    syscall(SYS_close, fd);
}

/* CLASS, CALL, and the callers in bake. */
static size_t describe(enum class class, const char *call, char line[static LINE])
{
    void *frames[DEPTH];
    inside = true;
    int depth = backtrace(frames, DEPTH);
    size_t len = (size_t)snprintf(line, LINE, "%s %s", names[class], call);
    for (int i = 0; i < depth && len < LINE - 24; i++) {
        const char *at = frames[i];
        if (at >= bake.from && at < bake.to)
            len += (size_t)snprintf(line + len, 24, " %lx", (unsigned long)(at - bake.from));
    }
    line[len++] = '\n';
    inside = false;
    return len;
}

/* Buffers the lines: there are many calls. */
static void list(enum class class, const char *call)
{
    char line[LINE];
    size_t len = describe(class, call, line), at = atomic_fetch_add(&listed, len);
    if (at + len <= LIST)
        memcpy(lines + at, line, len);
}

static bool hit(enum class class, const char *call)
{
    if (!on || inside)
        return false;
    int saved = errno;
    long n = atomic_fetch_add(&counts[class], 1) + 1;
    if (nth == 0)
        list(class, call);
    errno = saved;
    if ((int)class != class_wanted || nth == 0 || n < nth || (n > nth && !all))
        return false;
    if (n == nth) {
        char line[LINE];
        put(line, describe(class, call, line));
    }
    errno = error_wanted;
    return true;
}

static int find_places(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)size;
    (void)ctx;
    struct place *place = !info->dlpi_name || !info->dlpi_name[0] ? &bake
                          : strstr(info->dlpi_name, "/libc.so")   ? &libc
                                                                  : NULL;
    for (int i = 0; place && i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            const char *at = (const char *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            if (!place->from)
                place->from = at;
            place->to = at + info->dlpi_phdr[i].p_memsz;
        }
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    static const int errors[CLASSES] = {
        [MEMORY] = ENOMEM, [LIBRARY] = ENOMEM, [OPEN] = EMFILE,  [READ] = EIO,   [WRITE] = ENOSPC,
        [SYNC] = EIO,      [NAME] = ENOSPC,    [SIZE] = ENOSPC,  [COPY] = EIO,   [MAP] = ENOMEM,
        [STAT] = EIO,      [LOCK] = ENOLCK,    [FOLDER] = EIO,   [REMOVE] = EIO, [MODE] = EIO,
        [CLOSE] = EIO,     [CHILD] = EAGAIN,   [THREAD] = EAGAIN};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    const char *exe = getenv("FAULT_EXE"), *class = getenv("FAULT_CLASS"), *how = getenv("FAULT_HOW");
    log_path = getenv("FAULT_LOG");
    if (n < 0 || !exe || !log_path)
        return;
    self[n] = '\0';
    if (strcmp(self, exe) != 0)
        return;
    nth = getenv("FAULT_N") ? atol(getenv("FAULT_N")) : 0;
    all = getenv("FAULT_ALL") != NULL;
    for (int i = 0; class && i < CLASSES; i++)
        if (strcmp(class, names[i]) == 0) {
            class_wanted = i;
            error_wanted = errors[i];
        }
    half = how && strcmp(how, "short") == 0;
    if (how && !half)
        error_wanted = atoi(how);
    void *frame[2];
    backtrace(frame, 2); /* the first call loads a library */
    dl_iterate_phdr(find_places, NULL);
    lines = (char *)syscall(SYS_mmap, NULL, LIST, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    on = true;
}

__attribute__((destructor)) static void end(void)
{
    if (on && nth == 0)
        put(lines, listed < LIST ? listed : LIST);
    on = false;
}

/* --- memory --- */

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

/* Whether the memory is for bake, or for the C library's strdup() and asprintf(), and not for another
 * library. */
static enum class asked_by(const char *caller) {
    return (caller >= bake.from && caller < bake.to) || (caller >= libc.from && caller < libc.to) ? MEMORY
                                                                                                  : LIBRARY;
}
#define CALLER asked_by(__builtin_return_address(0))

void *malloc(size_t size)
{
    return hit(CALLER, "malloc") ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return hit(CALLER, "calloc") ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return size > 0 && hit(CALLER, "realloc") ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    return hit(CALLER, "aligned_alloc") ? NULL : __libc_memalign(align, size);
}

int posix_memalign(void **ret, size_t align, size_t size)
{
    void *made = hit(CALLER, "posix_memalign") ? NULL : __libc_memalign(align, size);
    if (made)
        *ret = made;
    return made ? 0 : ENOMEM;
}

/* --- everything else: a failure, or the system call or the C library's own --- */

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CALL(class, type, name, args, failure, real)                                                         \
    type name args                                                                                           \
    {                                                                                                        \
        if (hit(class, #name))                                                                               \
            return failure;                                                                                  \
        return (type)real;                                                                                   \
    }
#define BOTH(class, type, name, args, failure, real)                                                         \
    CALL(class, type, name, args, failure, real) CALL(class, type, name##64, args, failure, real)

#define OPENS(name, folder, args)                                                                            \
    int name args                                                                                            \
    {                                                                                                        \
        va_list ap;                                                                                          \
        va_start(ap, flags);                                                                                 \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;                                \
        va_end(ap);                                                                                          \
        return hit(OPEN, #name) ? -1 : (int)syscall(SYS_openat, folder, path, flags, mode);                  \
    }
OPENS(open, AT_FDCWD, (const char *path, int flags, ...))
OPENS(open64, AT_FDCWD, (const char *path, int flags, ...))
OPENS(openat, dir, (int dir, const char *path, int flags, ...))
OPENS(openat64, dir, (int dir, const char *path, int flags, ...))
CALL(OPEN, int, __open_2, (const char *path, int flags), -1, syscall(SYS_openat, AT_FDCWD, path, flags, 0))
CALL(OPEN, int, __open64_2, (const char *path, int flags), -1, syscall(SYS_openat, AT_FDCWD, path, flags, 0))
CALL(OPEN, int, __openat_2, (int dir, const char *path, int flags), -1,
     syscall(SYS_openat, dir, path, flags, 0))
CALL(OPEN, int, __openat64_2, (int dir, const char *path, int flags), -1,
     syscall(SYS_openat, dir, path, flags, 0))
BOTH(OPEN, FILE *, fopen, (const char *path, const char *mode), NULL, NEXT(fopen)(path, mode))
BOTH(OPEN, int, mkostemp, (char *path, int flags), -1, NEXT(mkostemp)(path, flags))
BOTH(OPEN, int, mkostemps, (char *path, int end, int flags), -1, NEXT(mkostemps)(path, end, flags))
CALL(OPEN, int, memfd_create, (const char *name, unsigned flags), -1, syscall(SYS_memfd_create, name, flags))

/* LEN, or half of it for a call that is to be short; -1 for one that is to fail. */
static ssize_t cut(enum class class, const char *call, size_t len)
{
    if (!hit(class, call))
        return (ssize_t)len;
    return half ? (ssize_t)(len + 1) / 2 : -1;
}

#define MOVES(class, name, args, real)                                                                       \
    ssize_t name args                                                                                        \
    {                                                                                                        \
        ssize_t n = cut(class, #name, len);                                                                  \
        return n < 0 ? -1 : syscall real;                                                                    \
    }
MOVES(READ, read, (int fd, void *to, size_t len), (SYS_read, fd, to, n))
MOVES(READ, pread, (int fd, void *to, size_t len, off_t at), (SYS_pread64, fd, to, n, at))
MOVES(READ, pread64, (int fd, void *to, size_t len, off_t at), (SYS_pread64, fd, to, n, at))
MOVES(READ, __read_chk, (int fd, void *to, size_t len, size_t room), (SYS_read, fd, to, n, room))
MOVES(READ, __pread_chk, (int fd, void *to, size_t len, off_t at, size_t room),
      (SYS_pread64, fd, to, n, at, room))
MOVES(READ, __pread64_chk, (int fd, void *to, size_t len, off_t at, size_t room),
      (SYS_pread64, fd, to, n, at, room))
MOVES(WRITE, write, (int fd, const void *from, size_t len), (SYS_write, fd, from, n))
MOVES(WRITE, pwrite, (int fd, const void *from, size_t len, off_t at), (SYS_pwrite64, fd, from, n, at))
MOVES(WRITE, pwrite64, (int fd, const void *from, size_t len, off_t at), (SYS_pwrite64, fd, from, n, at))
MOVES(COPY, copy_file_range, (int in, off64_t *in_at, int out, off64_t *out_at, size_t len, unsigned flags),
      (SYS_copy_file_range, in, in_at, out, out_at, n, flags))
MOVES(COPY, sendfile, (int out, int in, off_t *at, size_t len), (SYS_sendfile, out, in, at, n))
MOVES(COPY, sendfile64, (int out, int in, off_t *at, size_t len), (SYS_sendfile, out, in, at, n))
CALL(READ, ssize_t, readv, (int fd, const struct iovec *to, int count), -1, syscall(SYS_readv, fd, to, count))
CALL(WRITE, ssize_t, writev, (int fd, const struct iovec *from, int count), -1,
     syscall(SYS_writev, fd, from, count))
BOTH(WRITE, ssize_t, pwritev, (int fd, const struct iovec *from, int count, off_t at), -1,
     syscall(SYS_pwritev, fd, from, count, at, 0))
CALL(WRITE, size_t, fwrite, (const void *from, size_t size, size_t count, FILE *to), 0,
     NEXT(fwrite)(from, size, count, to))
CALL(WRITE, int, fflush, (FILE * file), EOF, NEXT(fflush)(file))

CALL(SYNC, int, fsync, (int fd), -1, syscall(SYS_fsync, fd))
CALL(SYNC, int, fdatasync, (int fd), -1, syscall(SYS_fdatasync, fd))
CALL(SYNC, int, syncfs, (int fd), -1, syscall(SYS_syncfs, fd))
CALL(SYNC, int, sync_file_range, (int fd, off64_t at, off64_t len, unsigned flags), -1,
     syscall(SYS_sync_file_range, fd, at, len, flags))

CALL(NAME, int, rename, (const char *from, const char *to), -1, syscall(SYS_rename, from, to))
CALL(NAME, int, renameat, (int a, const char *from, int b, const char *to), -1,
     syscall(SYS_renameat2, a, from, b, to, 0))
CALL(NAME, int, renameat2, (int a, const char *from, int b, const char *to, unsigned flags), -1,
     syscall(SYS_renameat2, a, from, b, to, flags))
CALL(NAME, int, link, (const char *from, const char *to), -1, syscall(SYS_link, from, to))
CALL(NAME, int, linkat, (int a, const char *from, int b, const char *to, int flags), -1,
     syscall(SYS_linkat, a, from, b, to, flags))
CALL(NAME, int, symlinkat, (const char *text, int dir, const char *path), -1,
     syscall(SYS_symlinkat, text, dir, path))

BOTH(SIZE, int, ftruncate, (int fd, off_t size), -1, syscall(SYS_ftruncate, fd, size))
BOTH(SIZE, int, fallocate, (int fd, int mode, off_t at, off_t len), -1,
     syscall(SYS_fallocate, fd, mode, at, len))
BOTH(SIZE, int, posix_fallocate, (int fd, off_t at, off_t len), ENOSPC, NEXT(posix_fallocate)(fd, at, len))
BOTH(MAP, void *, mmap, (void *at, size_t len, int prot, int flags, int fd, off_t off), MAP_FAILED,
     syscall(SYS_mmap, at, len, prot, flags, fd, off))

CALL(STAT, int, fstat, (int fd, struct stat *to), -1, syscall(SYS_newfstatat, fd, "", to, AT_EMPTY_PATH))
CALL(STAT, int, stat, (const char *path, struct stat *to), -1, syscall(SYS_newfstatat, AT_FDCWD, path, to, 0))
CALL(STAT, int, lstat, (const char *path, struct stat *to), -1,
     syscall(SYS_newfstatat, AT_FDCWD, path, to, AT_SYMLINK_NOFOLLOW))
CALL(STAT, int, fstatat, (int dir, const char *path, struct stat *to, int flags), -1,
     syscall(SYS_newfstatat, dir, path, to, flags))
CALL(STAT, int, fstat64, (int fd, struct stat64 *to), -1, syscall(SYS_newfstatat, fd, "", to, AT_EMPTY_PATH))
CALL(STAT, int, stat64, (const char *path, struct stat64 *to), -1,
     syscall(SYS_newfstatat, AT_FDCWD, path, to, 0))
CALL(STAT, int, lstat64, (const char *path, struct stat64 *to), -1,
     syscall(SYS_newfstatat, AT_FDCWD, path, to, AT_SYMLINK_NOFOLLOW))
CALL(STAT, int, fstatat64, (int dir, const char *path, struct stat64 *to, int flags), -1,
     syscall(SYS_newfstatat, dir, path, to, flags))
CALL(STAT, int, access, (const char *path, int mode), -1, syscall(SYS_access, path, mode))
BOTH(STAT, off_t, lseek, (int fd, off_t to, int whence), -1, syscall(SYS_lseek, fd, to, whence))

CALL(LOCK, int, flock, (int fd, int what), -1, syscall(SYS_flock, fd, what))
#define FCNTL(name)                                                                                          \
    int name(int fd, int what, ...)                                                                          \
    {                                                                                                        \
        va_list ap;                                                                                          \
        va_start(ap, what);                                                                                  \
        long arg = va_arg(ap, long);                                                                         \
        va_end(ap);                                                                                          \
        return hit(LOCK, #name) ? -1 : (int)syscall(SYS_fcntl, fd, what, arg);                               \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

CALL(FOLDER, DIR *, opendir, (const char *path), NULL, NEXT(opendir)(path))
CALL(FOLDER, DIR *, fdopendir, (int fd), NULL, NEXT(fdopendir)(fd))
CALL(FOLDER, struct dirent *, readdir, (DIR * dir), NULL, NEXT(readdir)(dir))
CALL(FOLDER, struct dirent64 *, readdir64, (DIR * dir), NULL, NEXT(readdir64)(dir))
CALL(FOLDER, int, mkdir, (const char *path, mode_t mode), -1, syscall(SYS_mkdir, path, mode))
CALL(FOLDER, int, mkdirat, (int dir, const char *path, mode_t mode), -1,
     syscall(SYS_mkdirat, dir, path, mode))
CALL(FOLDER, char *, mkdtemp, (char *path), NULL, NEXT(mkdtemp)(path))
CALL(REMOVE, int, unlink, (const char *path), -1, syscall(SYS_unlink, path))
CALL(REMOVE, int, unlinkat, (int dir, const char *path, int flags), -1,
     syscall(SYS_unlinkat, dir, path, flags))
CALL(MODE, int, fchmod, (int fd, mode_t mode), -1, syscall(SYS_fchmod, fd, mode))
CALL(MODE, int, futimens, (int fd, const struct timespec *times), -1,
     syscall(SYS_utimensat, fd, NULL, times, 0))
CALL(MODE, int, utimensat, (int dir, const char *path, const struct timespec *times, int flags), -1,
     syscall(SYS_utimensat, dir, path, times, flags))

int close(int fd) /* closes it even when it fails */
{
    bool fails = hit(CLOSE, "close");
    int r = (int)syscall(SYS_close, fd);
    if (fails)
        errno = error_wanted;
    return fails ? -1 : r;
}

int fclose(FILE *file)
{
    bool fails = hit(CLOSE, "fclose");
    int r = NEXT(fclose)(file);
    if (fails)
        errno = error_wanted;
    return fails ? EOF : r;
}

CALL(CHILD, pid_t, fork, (void), -1, NEXT(fork)())
CALL(CHILD, int, posix_spawn,
     (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
      char *const *argv, char *const *env),
     EAGAIN, NEXT(posix_spawn)(pid, path, actions, attr, argv, env))
CALL(CHILD, int, posix_spawnp,
     (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
      char *const *argv, char *const *env),
     EAGAIN, NEXT(posix_spawnp)(pid, path, actions, attr, argv, env))
CALL(CHILD, int, execve, (const char *path, char *const *argv, char *const *env), -1,
     syscall(SYS_execve, path, argv, env))
CALL(CHILD, int, pipe2, (int *ends, int flags), -1, syscall(SYS_pipe2, ends, flags))
CALL(THREAD, int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg), EAGAIN,
     NEXT(pthread_create)(thread, attr, run, arg))
