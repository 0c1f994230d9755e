/* A small tar archive in memory that does not depend on the machine or the time.
 *
 * In:    entries: a name, a kind, a mode, content.
 * Out:   the archive's bytes: ustar, root:root, all times 0; the same entries give the same bytes.
 * Fails: ERR_INTERNAL when memory runs out or a name is too long for the format.
 * Owns:  the writer, until tar_end() or tar_free(); content is copied.
 * Source: POSIX pax(1), "ustar Interchange Format"; written by libarchive.
 */
#ifndef BAKE_OCI_TAR_H
#define BAKE_OCI_TAR_H

#include <stdint.h>

#include "base/buf.h"

struct tar {
    void *archive; /* struct archive */
    struct buf out;
};

struct tar_entry {
    const char *name;   /* relative: "opt/bin"; a directory is one by its mode, not by its name */
    uint32_t mode;      /* with S_IFREG, S_IFDIR or S_IFLNK */
    const char *target; /* S_IFLNK */
    const void *bytes;  /* S_IFREG */
    size_t size;
};

must_check int tar_begin(struct tar *tar, struct err *err);
must_check int tar_add(struct tar *tar, const struct tar_entry *entry, struct err *err);
/* Appends the finished archive to RET. */
must_check int tar_end(struct tar *tar, struct buf *ret, struct err *err);
void tar_free(struct tar *tar);
#define cleanup_tar cleanup(tar_free)

#endif
