/* One ext2, ext3 or ext4 file system of the disk, open in libext2fs. Internal to src/fs. */
#ifndef BAKE_FS_EXT_H
#define BAKE_FS_EXT_H

#include <stdbool.h>

#include "base/path.h"
#include "base/run.h"
#include "fs/window.h"
#include "layout/types.h"
#include "plan/types.h"

struct ext {
    const struct partition *partition;
    struct window window;
    ext2_filsys fs; /* NULL when empty */
};

/* Opens and judges: a file system that may not be written is refused, also for reading alone. WRITER NULL: read-only.
 * EXT must not move afterwards. EPOCH becomes every time that is written. */
must_check int ext_open(struct ext *ext, const struct disk *reader, struct disk *writer,
                        const struct partition *partition, struct ranges *changes, int64_t epoch,
                        struct err *err);
/* Writes what libext2fs still holds. Only this call commits. */
must_check int ext_commit(struct ext *ext, struct err *err);
/* Drops what was not committed. */
void ext_free(struct ext *ext);
#define cleanup_ext cleanup(ext_free)

/* Sets err to "ROOT (partition 9): PATH: libext2fs's text"; returns -1. */
int ext_error(struct ext *ext, errcode_t code, const char *path, struct err *err);

/* Where a path leads. */
struct ext_place {
    char path[PATH_CAP]; /* canonical: links resolved, as far as it exists; the rest as given */
    ext2_ino_t dir;      /* the parent's inode; 0 when a parent is missing */
    ext2_ino_t ino;      /* 0 when it is not there */
    bool is_dir, is_link;
};

/* Follows links in the parents always, in the last component only with FOLLOW. Nothing leads out: ".." at the top stays
 * there. A link that leads to where another partition or a kernel file system is mounted is refused. */
must_check int ext_resolve(struct ext *ext, const char *path, bool follow, struct ext_place *ret,
                           struct err *err);

/* The plan's operations OPS[0..count), all of this partition, against the file system. fs/check.c */
must_check int ext_check(struct ext *ext, const struct plan_op *ops, size_t count, const struct run *run,
                         struct err *err);

/* Carries one operation out. fs/write.c */
must_check int ext_write_op(struct ext *ext, const struct plan_op *op, const struct run *run,
                            struct err *err);

/* Removes the object PLACE names, a folder with all that is in it. fs/remove.c */
must_check int ext_remove(struct ext *ext, const struct ext_place *place, struct err *err);

/* Puts the content of a new file into freshly allocated extents. fs/content.c */
must_check int ext_write_content(struct ext *ext, ext2_ino_t ino, const struct plan_op *op,
                                 const struct run *run, struct err *err);

#endif
