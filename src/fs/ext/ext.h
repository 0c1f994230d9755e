/* One ext2, ext3 or ext4 file system of the disk, open in libext2fs. Internal to src/fs. */
#ifndef BAKE_FS_EXT_EXT_H
#define BAKE_FS_EXT_EXT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/run.h"
#include "fs/ext/window.h"
#include "layout/types.h"
#include "plan/types.h"
#include "text/path.h"

struct ext {
    const struct partition *partition;
    struct window window;
    ext2_filsys fs; /* NULL when empty */
    errcode_t last; /* the last code that ext_error() got */
};

enum ext_mode {
    EXT_READ,  /* looks only; also at a file system that may not be written */
    EXT_TRIAL, /* everything is done but for the content of files, and nothing reaches the disk */
    EXT_WRITE
};

/* Opens; a file system that may not be written is refused but for EXT_READ. WRITER and CHANGES are for EXT_WRITE, EPOCH
 * (seconds since 1970) becomes every time that is written. EXT must not move afterwards. */
must_check int ext_open(struct ext *ext, enum ext_mode mode, const struct disk *reader, struct disk *writer,
                        const struct partition *partition, struct ranges *changes, int64_t epoch,
                        struct err *err);
/* Writes what libext2fs still holds. Only this call commits. */
must_check int ext_commit(struct ext *ext, struct err *err);
/* Drops what was not committed. */
void ext_free(struct ext *ext);
#define cleanup_ext cleanup(ext_free)

/* Sets err to "ROOT (partition 9): PATH: libext2fs's text"; returns -1. */
int ext_error(struct ext *ext, errcode_t code, const char *path, struct err *err);

/* Sets err to "ROOT (partition 9): PATH: WHAT" of kind ERR_LAYOUT; returns -1. */
int ext_refuse(const struct ext *ext, const char *path, const char *what, struct err *err);

/* Why the file system that starts at the partition's first byte may not be opened or, with WRITING, not be written. Looks at
 * the superblock only. fs/ext/check_features.c */
must_check int ext_check_features(const struct disk *disk, const struct partition *partition, bool writing,
                                  int64_t epoch, struct err *err);

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

/* As ext2fs_lookup(). libext2fs gives up on a folder that it has no memory to look through and reports nothing; but each has a
 * ".", so a folder in which nothing at all was seen was not looked through: EXT2_ET_NO_MEMORY. fs/ext/resolve.c */
errcode_t ext_lookup(ext2_filsys fs, ext2_ino_t dir, const char *name, size_t len, ext2_ino_t *ret);

/* Carries the plan's operations OPS[0..count), all of this partition, out on a trial, and sees whether what is reserved for
 * root would be used up. fs/ext/check.c */
must_check int ext_check(struct ext *ext, const struct plan_op *ops, size_t count, const struct run *run,
                         struct err *err);

/* The target of the symbolic link INO as a string. PATH is for the message. fs/ext/resolve.c */
must_check int ext_read_link(struct ext *ext, ext2_ino_t ino, struct ext2_inode *inode, const char *path,
                             char out[static PATH_CAP], struct err *err);

/* Times of an inode that is to be written: all of them, or only those that changing what a folder holds changes. BIRTH: crtime,
 * too. fs/ext/times.c */
void ext_stamp(const struct ext *ext, struct ext2_inode_large *inode, bool all, bool birth);
errcode_t ext_touch(const struct ext *ext, ext2_ino_t dir);

/* Carries one operation out. fs/ext/write.c */
must_check int ext_write_op(struct ext *ext, const struct plan_op *op, const struct run *run,
                            struct err *err);

/* Removes the object PLACE names, a folder with all that is in it. fs/ext/remove.c */
must_check int ext_remove(struct ext *ext, const struct ext_place *place, struct err *err);

/* Puts the content of a new file into freshly allocated extents. fs/ext/content.c */
must_check int ext_write_content(struct ext *ext, ext2_ino_t ino, const struct plan_op *op,
                                 const struct run *run, struct err *err);

#endif
