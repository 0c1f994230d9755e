/* The times of inodes. */
#include <string.h>

#include "fs/ext/ext.h"

/* A large inode has a field only when i_extra_isize covers it; attributes follow. */
#define inode_has(ext, inode, field)                                                                         \
    (EXT2_INODE_SIZE((ext)->fs->super) > EXT2_GOOD_OLD_INODE_SIZE &&                                         \
     offsetof(struct ext2_inode_large, field) + sizeof(inode)->field <=                                      \
         EXT2_GOOD_OLD_INODE_SIZE + (size_t)(inode)->i_extra_isize)

/* Seconds since 1970 in ext4's format: 32 bits and, in large inodes, two more for times after 2038. */
void ext_stamp(const struct ext *ext, struct ext2_inode_large *inode, bool all, bool birth)
{
    __u32 low = (__u32)ext->fs->now;
    __u32 extra = (__u32)(((ext->fs->now - (__s32)low) >> 32) & 3);
    inode->i_ctime = inode->i_mtime = low;
    if (inode_has(ext, inode, i_ctime_extra))
        inode->i_ctime_extra = extra;
    if (inode_has(ext, inode, i_mtime_extra))
        inode->i_mtime_extra = extra;
    if (all) {
        inode->i_atime = low;
        if (inode_has(ext, inode, i_atime_extra))
            inode->i_atime_extra = extra;
    }
    if (birth && inode_has(ext, inode, i_crtime))
        inode->i_crtime = low;
    if (birth && inode_has(ext, inode, i_crtime_extra))
        inode->i_crtime_extra = extra;
}

/* Sets the times of a folder whose entries changed. */
errcode_t ext_touch(const struct ext *ext, ext2_ino_t dir)
{
    struct ext2_inode_large inode;
    memset(&inode, 0, sizeof inode);
    errcode_t code = ext2fs_read_inode_full(ext->fs, dir, EXT2_INODE(&inode), sizeof inode);
    if (code)
        return code;
    ext_stamp(ext, &inode, false, false);
    return ext2fs_write_inode_full(ext->fs, dir, EXT2_INODE(&inode), sizeof inode);
}
