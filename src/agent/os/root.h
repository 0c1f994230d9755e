/* The machine's file system as the agent sees it: paths below one folder, "/" but for tests.
 *
 * In:    absolute, normal paths (base/path.h).
 * Out:   descriptors, whole small files, files written all or not at all.
 * Fails: ERR_IO naming the path; ERR_VERIFY for a file over its cap or not a plain file.
 * Owns:  the root's descriptor, until root_close(). Descriptors handed out are the caller's.
 * Never: leaves the root, whatever symbolic links say: links are resolved as a chroot would (openat2).
 *        Kernels before 5.6 have no openat2; there only the root "/" works, which cannot be left.
 */
#ifndef BAKE_AGENT_OS_ROOT_H
#define BAKE_AGENT_OS_ROOT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

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

/* open(2) below the root, O_CLOEXEC added. -1 with errno set, no struct err: callers know what ENOENT
 * means. */
must_check int root_openat(const struct root *root, const char *path, int flags);

/* Appends a regular file of at most ret->max bytes. *RET_FOUND false (and 0 returned) when there is none. */
must_check int root_read(const struct root *root, const char *path, struct buf *ret, bool *ret_found,
                         struct err *err);

/* Makes PATH hold exactly these bytes with this mode, by a temporary file beside it, fsync and rename:
 * whoever looks, whenever the power goes, sees the old file or the new one. The folder is made (0700) when
 * missing. */
must_check int root_write(const struct root *root, const char *path, const void *bytes, size_t len,
                          mode_t mode, struct err *err);

/* root_write(), unless PATH holds these bytes with this mode already. *RET_CHANGED: it was written. */
must_check int root_keep(const struct root *root, const char *path, const void *bytes, size_t len,
                         mode_t mode, bool *ret_changed, struct err *err);

/* Removes a file, if it exists. */
must_check int root_remove(const struct root *root, const char *path, struct err *err);

#endif
