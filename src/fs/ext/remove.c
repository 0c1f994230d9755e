/* Removes objects of a base: unlinks them, and frees inodes, blocks and attribute blocks. */
#include <string.h>

#include "fs/ext/ext.h"

enum { TREE_DEPTH_MAX = 256 };

static errcode_t free_inode(ext2_filsys fs, ext2_ino_t ino, struct ext2_inode_large *inode, int is_dir)
{
    errcode_t code = ext2fs_free_ext_attr(fs, ino, inode);
    if (!code && ext2fs_inode_has_valid_blocks2(fs, EXT2_INODE(inode)))
        code = ext2fs_punch(fs, ino, EXT2_INODE(inode), NULL, 0, ~0ULL);
    if (code)
        return code;
    inode->i_links_count = 0;
    inode->i_dtime = (__u32)fs->now;
    code = ext2fs_write_inode_full(fs, ino, EXT2_INODE(inode), sizeof *inode);
    ext2fs_inode_alloc_stats2(fs, ino, -1, is_dir);
    return code;
}

static errcode_t drop_link(ext2_filsys fs, ext2_ino_t ino, struct ext2_inode_large *inode)
{
    if (inode->i_links_count > 1) { /* other names still refer to it */
        inode->i_links_count--;
        return ext2fs_write_inode_full(fs, ino, EXT2_INODE(inode), sizeof *inode);
    }
    return free_inode(fs, ino, inode, 0);
}

struct emptying {
    ext2_filsys fs;
    unsigned depth;
    bool any; /* an entry was seen */
    errcode_t code;
};

static errcode_t remove_inode(ext2_filsys fs, ext2_ino_t ino, unsigned depth);

/* NOLINTBEGIN(readability-non-const-parameter): the type is libext2fs's */
static int remove_entry(ext2_ino_t dir, int entry, struct ext2_dir_entry *dirent, int offset, int blocksize,
                        char *buf, void *ctx)
/* NOLINTEND(readability-non-const-parameter) */
{
    (void)dir;
    (void)offset;
    (void)blocksize;
    (void)buf;
    (void)entry; /* wrong for folders stored in their inode */
    struct emptying *emptying = ctx;
    emptying->any = true;
    int len = ext2fs_dirent_name_len(dirent);
    bool dots = (len == 1 && dirent->name[0] == '.') ||
                (len == 2 && dirent->name[0] == '.' && dirent->name[1] == '.');
    if (dots || dirent->inode == 0)
        return 0;
    emptying->code = remove_inode(emptying->fs, dirent->inode, emptying->depth + 1);
    return emptying->code ? DIRENT_ABORT : 0;
}

/* The folder's blocks go with it, so the entries in them need not be cleared one by one. */
static errcode_t remove_inode(ext2_filsys fs, ext2_ino_t ino, unsigned depth)
{
    /* a damaged folder may name an object twice, or one that must stay */
    if (depth > TREE_DEPTH_MAX || ino < EXT2_FIRST_INO(fs->super) || ino > fs->super->s_inodes_count ||
        ino == fs->super->s_orphan_file_inum || !ext2fs_test_inode_bitmap2(fs->inode_map, ino))
        return EXT2_ET_DIR_CORRUPTED;
    struct ext2_inode_large inode;
    errcode_t code = ext2fs_read_inode_full(fs, ino, EXT2_INODE(&inode), sizeof inode);
    if (code)
        return code;
    if (!LINUX_S_ISDIR(inode.i_mode))
        return drop_link(fs, ino, &inode);
    struct emptying emptying = {.fs = fs, .depth = depth};
    code = ext2fs_dir_iterate2(fs, ino, 0, NULL, remove_entry, &emptying);
    if (!code && !emptying.any) /* see ext_lookup() */
        code = EXT2_ET_NO_MEMORY;
    if (!code)
        code = emptying.code;
    return code ? code : free_inode(fs, ino, &inode, 1);
}

int ext_remove(struct ext *ext, const struct ext_place *place, struct err *err)
{
    ext2_filsys fs = ext->fs;
    struct ext2_inode parent;
    errcode_t code = ext2fs_unlink(fs, place->dir, path_base(place->path), place->ino, 0);
    if (!code)
        code = remove_inode(fs, place->ino, 0);
    if (!code)
        code = ext2fs_read_inode(fs, place->dir, &parent);
    if (!code && place->is_dir && parent.i_links_count > 2) { /* its ".." is gone */
        parent.i_links_count--;
        code = ext2fs_write_inode(fs, place->dir, &parent);
    }
    if (!code)
        code = ext_touch(ext, place->dir);
    return code ? ext_error(ext, code, place->path, err) : 0;
}
