/* Local files: whole reads and writes, and new files that appear under their name complete or not at all.
 *
 * In:    paths and file descriptors (O_CLOEXEC everywhere).
 * Out:   whole transfers: short reads and writes are completed, EINTR is retried.
 * Fails: ERR_IO; ERR_SPACE when the file system is full; ERR_VERIFY for a file that is larger than allowed.
 * Owns:  a struct newfile owns its descriptor and unnamed or temporary file until newfile_commit().
 * Never: leaves a partial file under its final name.
 */
#ifndef BAKE_IO_FILE_H
#define BAKE_IO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/run.h"

/* Exactly LEN bytes at OFF, or an error; an earlier end of file is ERR_IO. NAME is for the message. */
must_check int file_pread(int fd, void *bytes, size_t len, uint64_t off, const char *name, struct err *err);
must_check int file_pwrite(int fd, const void *bytes, size_t len, uint64_t off, const char *name,
                           struct err *err);
/* At the current offset. */
must_check int file_write(int fd, const void *bytes, size_t len, const char *name, struct err *err);

/* Appends a whole file of at most MAX bytes to the buffer; a larger one is ERR_VERIFY. */
must_check int file_read_fd(int fd, size_t max, struct buf *ret, const char *name, struct err *err);
must_check int file_read(const char *path, size_t max, struct buf *ret, struct err *err);

/* Opens a regular file for reading, O_CLOEXEC|O_NOCTTY. */
must_check int file_open(const char *path, int *ret_fd, uint64_t *ret_size, struct err *err);

/* True when only its owner can read and change a file. When root owns it and gives this user access through a
 * group, as Kubernetes mounts a Secret with fsGroup, that group may read it as well. */
bool file_is_private(const struct stat *st);

/* A file's identity at one time, which reveals a change of content without reading it. */
struct file_identity {
    uint64_t device, inode, size; /* size: bytes */
    struct timespec mtime, ctime;
};
/* First waits, usually a few milliseconds, until the file system's clock has passed the file's ctime, so that
 * the identity reveals every later change. */
must_check int file_identify(int fd, struct file_identity *ret, struct err *err);
bool file_identity_equal(const struct file_identity *a, const struct file_identity *b);

/* Copies LEN bytes between regular files, inside the kernel (as a reflink or copy) when possible. Holes in
 * SRC stay holes where DST has no data yet. */
must_check int file_copy(int src, uint64_t src_off, int dst, uint64_t dst_off, uint64_t len,
                         const struct run *run, struct err *err);

/* ERR_IO when there is data after SIZE: only part of the file would be used. The kernel's generated files
 * (proc) have size 0 but are not empty, and a file that is still being written grows. */
must_check int file_check_end(int fd, uint64_t size, const char *name, struct err *err);

/* SHA-256 of [off, off+len) of a file. */
must_check int file_sha256(int fd, uint64_t off, uint64_t len, const struct run *run, struct sha256 *ret,
                           struct err *err);

/* The user's home: $HOME, else the password database's, since a service may run without HOME. *ret, owned by
 * the caller, is NULL when neither is an absolute path. */
must_check int file_home(char **ret, struct err *err);

/* mkdir -p, each new folder with MODE. */
must_check int file_mkdirs(const char *path, mode_t mode, struct err *err);

/* A file under construction: unnamed (O_TMPFILE) where the file system supports it, else a dot-file
 * ".NAME.XXXXXX.part". */
struct newfile {
    int fd;      /* read-write; -1 when empty */
    char *final; /* its final path */
    char *temp;  /* NULL when unnamed */
};
#define NEWFILE_EMPTY                                                                                        \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

must_check int newfile_open(struct newfile *file, const char *final_path, mode_t mode, struct err *err);
/* Syncs the file, then gives it its final name. An existing file is replaced or, with EXCL, an error. */
must_check int newfile_commit(struct newfile *file, bool excl, struct err *err);
void newfile_abort(struct newfile *file);
#define cleanup_newfile cleanup(newfile_abort)

/* Writes a whole small file through a newfile. */
must_check int file_put(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err);

/* An unnamed read-write scratch file in DIR. It is gone when its descriptor is closed or the process ends. */
must_check int file_scratch(const char *dir, int *ret_fd, struct err *err);

#endif
