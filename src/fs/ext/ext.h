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
    errcode_t last; /* the last code passed to ext_error() */
};

enum ext_mode {
    EXT_READ,  /* reads only; also a file system that must not be written */
    EXT_TRIAL, /* does everything except writing file content; nothing reaches the disk */
    EXT_WRITE
};

/* Opens a file system. One that must not be written is refused, except for EXT_READ. WRITER and CHANGES are
 * for EXT_WRITE. All times written are EPOCH (seconds since 1970). EXT must not move afterwards. */
must_check int ext_open(struct ext *ext, enum ext_mode mode, const struct disk *reader, struct disk *writer,
                        const struct partition *partition, struct ranges *changes, int64_t epoch,
                        struct err *err);
/* Writes what libext2fs still holds in memory. Only this call commits. */
must_check int ext_commit(struct ext *ext, struct err *err);
/* Drops what was not committed. */
void ext_free(struct ext *ext);
#define cleanup_ext cleanup(ext_free)

/* Sets err to "ROOT (partition 9): PATH: libext2fs's text"; returns -1. */
int ext_error(struct ext *ext, errcode_t code, const char *path, struct err *err);

/* Sets err to "ROOT (partition 9): PATH: WHAT" of kind ERR_LAYOUT; returns -1. */
int ext_refuse(const struct ext *ext, const char *path, const char *what, struct err *err);

/* Checks that the file system at the partition's first byte may be opened or, with WRITING, written. Reads
 * only the superblock. fs/ext/check_features.c */
must_check int ext_check_features(const struct disk *disk, const struct partition *partition, bool writing,
                                  int64_t epoch, struct err *err);

/* Where a path leads. */
struct ext_place {
    char path[PATH_CAP]; /* links resolved in the part that exists; the rest as given */
    ext2_ino_t dir;      /* the parent's inode; 0 when a parent is missing */
    ext2_ino_t ino;      /* 0 when it does not exist */
    bool is_dir, is_link;
};

/* Follows links in the parents, and in the last component only with FOLLOW. No path leaves the file system:
 * ".." at the top stays there. A link to where another partition or a kernel file system is mounted is
 * refused. */
must_check int ext_resolve(struct ext *ext, const char *path, bool follow, struct ext_place *ret,
                           struct err *err);

/* As ext2fs_lookup(), which does not report that it had no memory to search a folder. Since every folder has
 * a ".", a folder without any entry was not searched: EXT2_ET_NO_MEMORY. fs/ext/resolve.c */
errcode_t ext_lookup(ext2_filsys fs, ext2_ino_t dir, const char *name, size_t len, ext2_ino_t *ret);

/* Carries out OPS[0..count), all of this partition, on an EXT_TRIAL, and checks that they leave root's
 * reserve. fs/ext/check.c */
must_check int ext_check(struct ext *ext, const struct plan_op *ops, size_t count, const struct run *run,
                         struct err *err);

/* The target of the symbolic link INO as a string. PATH is for the message. fs/ext/resolve.c */
must_check int ext_read_link(struct ext *ext, ext2_ino_t ino, struct ext2_inode *inode, const char *path,
                             char out[static PATH_CAP], struct err *err);

/* Sets the times of an inode to be written: all of them, or only those that change with a folder's
 * entries. With BIRTH, crtime, too. fs/ext/times.c */
void ext_stamp(const struct ext *ext, struct ext2_inode_large *inode, bool all, bool birth);
errcode_t ext_touch(const struct ext *ext, ext2_ino_t dir);

/* Carries out one operation. fs/ext/write.c */
must_check int ext_write_op(struct ext *ext, const struct plan_op *op, const struct run *run,
                            struct err *err);

/* Removes the object at PLACE, a folder with everything in it. fs/ext/remove.c */
must_check int ext_remove(struct ext *ext, const struct ext_place *place, struct err *err);

/* Writes the content of a new file into newly allocated extents. fs/ext/content.c */
must_check int ext_write_content(struct ext *ext, ext2_ino_t ino, const struct plan_op *op,
                                 const struct run *run, struct err *err);

#endif
