/* One operation of a plan, carried out by libext2fs. */
#include <string.h>

#include "fs/ext.h"

/* Seconds since 1970 as ext4 has them: 32 bits and, in large inodes, two more for what comes after 2038. */
static void set_times(struct ext *ext, struct ext2_inode_large *inode)
{
    __u32 low = (__u32)ext->fs->now;
    __u32 extra = (__u32)(((ext->fs->now - (__s32)low) >> 32) & 3);
    inode->i_atime = inode->i_ctime = inode->i_mtime = low;
    inode->i_crtime = low;
    inode->i_atime_extra = inode->i_ctime_extra = inode->i_mtime_extra = inode->i_crtime_extra = extra;
}

/* Mode, owner and times of an inode that is there. */
static errcode_t set_meta(struct ext *ext, ext2_ino_t ino, const struct plan_op *op)
{
    struct ext2_inode_large inode;
    memset(&inode, 0, sizeof inode);
    errcode_t code = ext2fs_read_inode_full(ext->fs, ino, EXT2_INODE(&inode), sizeof inode);
    if (code)
        return code;
    if (!LINUX_S_ISLNK(inode.i_mode))
        inode.i_mode = (__u16)((inode.i_mode & ~07777u) | op->mode);
    inode.i_uid = (__u16)op->uid;
    inode.osd2.linux2.l_i_uid_high = (__u16)(op->uid >> 16);
    inode.i_gid = (__u16)op->gid;
    inode.osd2.linux2.l_i_gid_high = (__u16)(op->gid >> 16);
    set_times(ext, &inode);
    return ext2fs_write_inode_full(ext->fs, ino, EXT2_INODE(&inode), sizeof inode);
}

static errcode_t set_xattrs(struct ext *ext, ext2_ino_t ino, const struct plan_op *op)
{
    if (op->xattr_count == 0)
        return 0;
    struct ext2_xattr_handle *handle = NULL;
    errcode_t code = ext2fs_xattrs_open(ext->fs, ino, &handle);
    if (!code)
        code = ext2fs_xattrs_read(handle);
    for (size_t i = 0; i < op->xattr_count && !code; i++)
        code = ext2fs_xattr_set(handle, op->xattrs[i].name, op->xattrs[i].value, op->xattrs[i].size);
    if (handle) {
        errcode_t closed = ext2fs_xattrs_close(&handle);
        if (!code)
            code = closed;
    }
    return code;
}

/* A folder changed: its times say so. */
static errcode_t touch_folder(struct ext *ext, ext2_ino_t dir)
{
    struct ext2_inode inode;
    errcode_t code = ext2fs_read_inode(ext->fs, dir, &inode);
    if (code)
        return code;
    inode.i_mtime = inode.i_ctime = (__u32)ext->fs->now;
    return ext2fs_write_inode(ext->fs, dir, &inode);
}

static errcode_t link_name(struct ext *ext, ext2_ino_t dir, const char *name, ext2_ino_t ino, int type)
{
    errcode_t code = ext2fs_link(ext->fs, dir, name, ino, type);
    if (code == EXT2_ET_DIR_NO_SPACE) {
        code = ext2fs_expand_dir(ext->fs, dir);
        if (!code)
            code = ext2fs_link(ext->fs, dir, name, ino, type);
    }
    return code;
}

static int write_dir(struct ext *ext, const struct ext_place *place, const struct plan_op *op,
                     struct err *err)
{
    ext2_ino_t ino = place->ino;
    const char *name = path_base(place->path);
    errcode_t code = 0;
    if (ino == 0) {
        code = ext2fs_mkdir(ext->fs, place->dir, 0, name);
        if (code == EXT2_ET_DIR_NO_SPACE) {
            code = ext2fs_expand_dir(ext->fs, place->dir);
            if (!code)
                code = ext2fs_mkdir(ext->fs, place->dir, 0, name);
        }
        if (!code)
            code = touch_folder(ext, place->dir);
        if (!code)
            code = ext2fs_lookup(ext->fs, place->dir, name, (int)strlen(name), NULL, &ino);
    }
    if (!code && (place->ino == 0 || op->set_meta))
        code = set_meta(ext, ino, op);
    if (!code)
        code = set_xattrs(ext, ino, op);
    return code ? ext_error(ext, code, op->image_path, err) : 0;
}

/* An inode without a name yet: whoever finds the disk half-written must not find half a file. */
static errcode_t new_file_inode(struct ext *ext, ext2_ino_t dir, const struct plan_op *op, ext2_ino_t *ret)
{
    ext2_filsys fs = ext->fs;
    ext2_ino_t ino = 0;
    errcode_t code = ext2fs_new_inode(fs, dir, LINUX_S_IFREG | (int)op->mode, NULL, &ino);
    if (code)
        return code;
    ext2fs_inode_alloc_stats2(fs, ino, +1, 0);
    struct ext2_inode inode = {.i_mode = (__u16)(LINUX_S_IFREG | op->mode), .i_links_count = 1};
    inode.i_atime = inode.i_ctime = inode.i_mtime = (__u32)fs->now;
    if (fs->super->s_feature_incompat & EXT3_FEATURE_INCOMPAT_EXTENTS) {
        ext2_extent_handle_t handle;
        code = ext2fs_extent_open2(fs, ino, &inode, &handle); /* makes the empty extent tree */
        if (code)
            return code;
        ext2fs_extent_free(handle);
    }
    code = ext2fs_write_new_inode(fs, ino, &inode);
    if (!code)
        *ret = ino;
    return code;
}

static int write_file(struct ext *ext, const struct ext_place *place, const struct plan_op *op,
                      const struct run *run, struct err *err)
{
    ext2_ino_t ino = 0;
    errcode_t code = new_file_inode(ext, place->dir, op, &ino);
    if (code)
        return ext_error(ext, code, op->image_path, err);
    if (ext_write_content(ext, ino, op, run, err) < 0)
        return -1;
    code = set_xattrs(ext, ino, op);
    if (!code)
        code = set_meta(ext, ino, op);
    if (code)
        return ext_error(ext, code, op->image_path, err);
    if (place->ino != 0 && ext_remove(ext, place, err) < 0)
        return -1;
    code = link_name(ext, place->dir, path_base(place->path), ino, EXT2_FT_REG_FILE);
    if (!code)
        code = touch_folder(ext, place->dir);
    return code ? ext_error(ext, code, op->image_path, err) : 0;
}

static int write_symlink(struct ext *ext, const struct ext_place *place, const struct plan_op *op,
                         struct err *err)
{
    const char *name = path_base(place->path);
    if (place->ino != 0 && ext_remove(ext, place, err) < 0)
        return -1;
    errcode_t code = ext2fs_symlink(ext->fs, place->dir, 0, name, op->target);
    if (code == EXT2_ET_DIR_NO_SPACE) {
        code = ext2fs_expand_dir(ext->fs, place->dir);
        if (!code)
            code = ext2fs_symlink(ext->fs, place->dir, 0, name, op->target);
    }
    ext2_ino_t ino = 0;
    if (!code)
        code = ext2fs_lookup(ext->fs, place->dir, name, (int)strlen(name), NULL, &ino);
    if (!code)
        code = set_meta(ext, ino, op);
    if (!code)
        code = set_xattrs(ext, ino, op);
    if (!code)
        code = touch_folder(ext, place->dir);
    return code ? ext_error(ext, code, op->image_path, err) : 0;
}

int ext_write_op(struct ext *ext, const struct plan_op *op, const struct run *run, struct err *err)
{
    struct ext_place place;
    if (ext_resolve(ext, op->path, op->kind == PLAN_DIR, &place, err) < 0)
        return -1;
    switch (op->kind) {
    case PLAN_DIR:
        return write_dir(ext, &place, op, err);
    case PLAN_FILE:
        return write_file(ext, &place, op, run, err);
    case PLAN_SYMLINK:
        return write_symlink(ext, &place, op, err);
    case PLAN_REMOVE:
        return ext_remove(ext, &place, err);
    }
    return err_set(err, ERR_INTERNAL, 0, "an operation of an unknown kind");
}
