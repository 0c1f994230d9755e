/* The machine's file system as the agent sees it: paths below one folder, which is "/" except in tests.
 *
 * In:    absolute, normal paths (text/path.h).
 * Out:   descriptors, whole small files, files written completely or not at all.
 * Fails: ERR_IO naming the path; ERR_VERIFY for a file over its cap or not a regular file.
 * Owns:  the root's descriptor, until root_close(). The caller owns the descriptors it gets.
 * Never: leaves the root through symbolic links: they are resolved as in a chroot (openat2). Kernels before
 *        5.6 lack openat2; there only the root "/" works, which cannot be left.
 */
#ifndef BAKE_AGENT_OS_ROOT_H
#define BAKE_AGENT_OS_ROOT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "text/path.h"

struct root {
    int fd;
    bool whole; /* it is "/" itself */
};

#define ROOT_INIT                                                                                            \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

must_check int root_open(const char *path, struct root *ret, struct err *err);
void root_close(struct root *root);
#define cleanup_root cleanup(root_close)

/* open(2) below the root, with O_CLOEXEC. -1 with errno, not struct err: the caller knows what ENOENT
 * means. */
must_check int root_openat(const struct root *root, const char *path, int flags);

/* The path as seen from outside the root, for other programs. -1 with errno. */
must_check int root_real(const struct root *root, const char *path, char ret[static PATH_CAP]);

/* Appends a regular file of at most ret->max bytes. A missing file is not an error: *RET_FOUND is false. */
must_check int root_read(const struct root *root, const char *path, struct buf *ret, bool *ret_found,
                         struct err *err);

/* Makes PATH hold exactly these bytes with this mode, through a temporary file beside it, fsync and rename:
 * readers see the old file or the new one, even after a power failure. Makes the folder (0700) if it is
 * missing. */
must_check int root_write(const struct root *root, const char *path, const void *bytes, size_t len,
                          mode_t mode, struct err *err);

/* root_write(), unless PATH already holds these bytes with this mode. *RET_CHANGED: it was written. */
must_check int root_keep(const struct root *root, const char *path, const void *bytes, size_t len,
                         mode_t mode, bool *ret_changed, struct err *err);

/* Removes a file, if it exists. */
must_check int root_remove(const struct root *root, const char *path, struct err *err);

#endif
