/* What an ext file system of a disk holds, for tests.
 *
 * In:    a disk, its layout, a GPT partition number (1-based), a normal path in that partition's file system.
 * Out:   copies: a file's content, what an object is, what a folder holds. The caller owns them.
 * Fails: ERR_LAYOUT: no ext file system there, a damaged one, no such object, an object of another type, a
 *        link that leads to where another file system is mounted; ERR_SPACE: more than the caller's cap.
 * Never: leaves the file system: links are followed inside it.
 */
#ifndef BAKE_TESTS_SUPPORT_LIB_EXT_READ_H
#define BAKE_TESTS_SUPPORT_LIB_EXT_READ_H

#include "base/arena.h"
#include "base/buf.h"
#include "disk/disk.h"
#include "fs/types.h"
#include "layout/types.h"
#include "text/path.h"

enum fs_object { FS_OBJECT_FILE, FS_OBJECT_DIR, FS_OBJECT_SYMLINK, FS_OBJECT_SPECIAL };

struct fs_xattr {
    const char *name; /* with its prefix */
    const void *value;
    size_t size; /* bytes */
};

struct fs_stat {
    struct arena arena; /* owns target and xattrs */
    enum fs_object object;
    uint32_t inode, mode /* 07777 */, uid, gid, links;
    uint64_t size;                       /* bytes */
    int64_t atime, mtime, ctime, crtime; /* seconds since 1970; crtime is 0 where the inode has none */
    const char *target;                  /* of a symbolic link, else NULL */
    const struct fs_xattr *xattrs;       /* in byte order of their names */
    size_t xattr_count;
};

struct fs_entry {
    const char *name;
    uint32_t inode;
};

/* Without "." and "..", in byte order. */
struct fs_list {
    struct arena arena; /* owns the entries */
    struct fs_entry *entries;
    size_t count;
};

/* Links are followed, in the last component too. The content is appended to *ret; over MAX bytes is
 * ERR_SPACE. */
must_check int fs_read_file(const struct disk *disk, const struct layout *layout, unsigned partition,
                            const char *path, size_t max, struct buf *ret, struct err *err);

/* The object itself: a link in the last component is not followed. */
must_check int fs_stat(const struct disk *disk, const struct layout *layout, unsigned partition,
                       const char *path, struct fs_stat *ret, struct err *err);
static inline void fs_stat_free(struct fs_stat *stat)
{
    arena_free(&stat->arena);
    *stat = (struct fs_stat){0};
}
#define cleanup_fs_stat cleanup(fs_stat_free)

must_check int fs_list(const struct disk *disk, const struct layout *layout, unsigned partition,
                       const char *path, struct fs_list *ret, struct err *err);
static inline void fs_list_free(struct fs_list *list)
{
    arena_free(&list->arena);
    *list = (struct fs_list){0};
}
#define cleanup_fs_list cleanup(fs_list_free)

#endif
