/* Carries out one operation of a plan with libext2fs. */
#include <string.h>

#include "fs/ext/ext.h"

/* Sets mode, owner and times of an existing inode. */
static errcode_t set_meta(struct ext *ext, ext2_ino_t ino, const struct plan_op *op, bool birth)
{
    struct ext2_inode_large inode;
    memset(&inode, 0, sizeof inode);
    errcode_t code = ext2fs_read_inode_full(ext->fs, ino, EXT2_INODE(&inode), sizeof inode);
    if (code)
        return code;
    if (!LINUX_S_ISLNK(inode.i_mode))
        inode.i_mode = (__u16)((inode.i_mode & ~07777u) | (op->mode & 07777u));
    inode.i_uid = (__u16)op->uid;
    inode.osd2.linux2.l_i_uid_high = (__u16)(op->uid >> 16);
    inode.i_gid = (__u16)op->gid;
    inode.osd2.linux2.l_i_gid_high = (__u16)(op->gid >> 16);
    ext_stamp(ext, &inode, true, birth);
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

/* Linking an entry grows an indexed folder itself, so for one of those "no space" means that its index is
 * full. */
static errcode_t extend_dir(struct ext *ext, ext2_ino_t dir)
{
    struct ext2_inode inode;
    errcode_t code = ext2fs_read_inode(ext->fs, dir, &inode);
    if (!code && (inode.i_flags & EXT2_INDEX_FL))
        code = EXT2_ET_DIR_NO_SPACE;
    return code ? code : ext2fs_expand_dir(ext->fs, dir);
}

/* libext2fs reported that DIR is full. It reports that for lack of memory, too, so the first time the caller
 * only tries again. */
enum { ROOM_TRIES = 2 };
static errcode_t make_room(struct ext *ext, ext2_ino_t dir, unsigned tries)
{
    ext2_ino_t itself;
    errcode_t code = ext_lookup(ext->fs, dir, ".", 1, &itself);
    return code || tries == 0 ? code : extend_dir(ext, dir);
}

static errcode_t link_name(struct ext *ext, ext2_ino_t dir, const char *name, ext2_ino_t ino, int type)
{
    errcode_t code = ext2fs_link(ext->fs, dir, name, ino, type);
    for (unsigned tries = 0; code == EXT2_ET_DIR_NO_SPACE && tries < ROOM_TRIES; tries++) {
        code = make_room(ext, dir, tries);
        if (!code)
            code = ext2fs_link(ext->fs, dir, name, ino, type);
    }
    return code;
}

/* With dir_nlink, a folder with more subfolders than its link count can hold has the count 1. */
static errcode_t settle_links(struct ext *ext, ext2_ino_t dir, unsigned before)
{
    struct ext2_inode inode;
    if (before != 1 && before < EXT2_LINK_MAX - 1)
        return 0;
    errcode_t code = ext2fs_read_inode(ext->fs, dir, &inode);
    if (code)
        return code;
    if (!(ext->fs->super->s_feature_ro_compat & EXT4_FEATURE_RO_COMPAT_DIR_NLINK))
        return EMLINK;
    inode.i_links_count = 1;
    return ext2fs_write_inode(ext->fs, dir, &inode);
}

static errcode_t make_dir(struct ext *ext, ext2_ino_t parent, const char *name, ext2_ino_t *ret)
{
    struct ext2_inode inode;
    errcode_t code = ext2fs_read_inode(ext->fs, parent, &inode);
    if (code)
        return code;
    code = ext2fs_mkdir(ext->fs, parent, 0, name);
    for (unsigned tries = 0; code == EXT2_ET_DIR_NO_SPACE && tries < ROOM_TRIES; tries++) {
        code = make_room(ext, parent, tries);
        if (!code)
            code = ext2fs_mkdir(ext->fs, parent, 0, name);
    }
    if (!code)
        code = settle_links(ext, parent, inode.i_links_count);
    if (!code)
        code = ext_touch(ext, parent);
    return code ? code : ext_lookup(ext->fs, parent, name, strlen(name), ret);
}

static int write_dir(struct ext *ext, const struct ext_place *place, const struct plan_op *op,
                     struct err *err)
{
    ext2_ino_t ino = place->ino;
    errcode_t code = 0;
    if (ino != 0 && !place->is_dir)
        return ext_refuse(ext, op->image_path, "it exists and is not a folder", err);
    if (ino != 0 && !op->set_meta)
        return 0;
    if (ino == 0)
        code = make_dir(ext, place->dir, path_base(place->path), &ino);
    if (!code)
        code = set_xattrs(ext, ino, op);
    if (!code)
        code = set_meta(ext, ino, op, place->ino == 0);
    return code ? ext_error(ext, code, op->image_path, err) : 0;
}

/* Creates an inode without a name, so that an interrupted write leaves no partial file behind. */
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
        code = ext2fs_extent_open2(fs, ino, &inode, &handle); /* creates the empty extent tree */
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
        code = set_meta(ext, ino, op, true);
    if (code)
        return ext_error(ext, code, op->image_path, err);
    if (place->ino != 0 && ext_remove(ext, place, err) < 0)
        return -1;
    code = link_name(ext, place->dir, path_base(place->path), ino, EXT2_FT_REG_FILE);
    if (!code)
        code = ext_touch(ext, place->dir);
    return code ? ext_error(ext, code, op->image_path, err) : 0;
}

static int write_symlink(struct ext *ext, const struct ext_place *place, const struct plan_op *op,
                         struct err *err)
{
    const char *name = path_base(place->path);
    if (place->ino != 0 && ext_remove(ext, place, err) < 0)
        return -1;
    errcode_t code = ext2fs_symlink(ext->fs, place->dir, 0, name, op->target);
    for (unsigned tries = 0; code == EXT2_ET_DIR_NO_SPACE && tries < ROOM_TRIES; tries++) {
        code = make_room(ext, place->dir, tries);
        if (!code)
            code = ext2fs_symlink(ext->fs, place->dir, 0, name, op->target);
    }
    ext2_ino_t ino = 0;
    if (!code)
        code = ext_lookup(ext->fs, place->dir, name, strlen(name), &ino);
    if (!code)
        code = set_xattrs(ext, ino, op);
    if (!code)
        code = set_meta(ext, ino, op, true);
    if (!code)
        code = ext_touch(ext, place->dir);
    return code ? ext_error(ext, code, op->image_path, err) : 0;
}

/* Refuses OP when what exists at PLACE does not allow it. */
static int check_place(struct ext *ext, const struct ext_place *place, const struct plan_op *op,
                       struct err *err)
{
    bool exists = place->ino != 0;
    const char *why = NULL;
    if (op->kind == PLAN_REMOVE && !exists)
        why = "it does not exist, so it cannot be removed";
    else if (op->kind == PLAN_REMOVE && strcmp(place->path, "/") == 0)
        why = "the top of a file system cannot be removed";
    else if (op->kind == PLAN_REMOVE && place->dir == EXT2_ROOT_INO &&
             strcmp(place->path, "/lost+found") == 0)
        why = "every ext file system needs its lost+found";
    else if ((op->kind == PLAN_FILE || op->kind == PLAN_SYMLINK) && exists && place->is_dir)
        why = "it exists and is a folder";
    else if (!exists && place->dir == 0)
        why = "its parent folder does not exist";
    else if (op->kind == PLAN_SYMLINK && strlen(op->target) >= ext->fs->blocksize)
        why = "the target of the link is longer than a block";
    return why ? ext_refuse(ext, op->image_path, why, err) : 0;
}

/* A link in the last component is not followed, except that an existing folder may be a link to one. */
static int find_place(struct ext *ext, const struct plan_op *op, struct ext_place *ret, struct err *err)
{
    if (ext_resolve(ext, op->path, false, ret, err) < 0)
        return -1;
    if (op->kind != PLAN_DIR || !ret->is_link)
        return 0;
    if (ext_resolve(ext, op->path, true, ret, err) < 0)
        return -1;
    return ret->is_dir ? 0
                       : ext_refuse(ext, op->image_path,
                                    "it exists and is a link that does not lead to a folder", err);
}

/* Blocks that one operation may read. Folders are searched from their start. */
enum { READS_PER_OP = 8192, READS_PER_CONTENT_BLOCK = 8 };

int ext_write_op(struct ext *ext, const struct plan_op *op, const struct run *run, struct err *err)
{
    struct ext_place place;
    ext->window.reads_left += READS_PER_OP + op->content.size / ext->fs->blocksize * READS_PER_CONTENT_BLOCK;
    if (find_place(ext, op, &place, err) < 0)
        return strcmp(op->path, op->image_path) == 0 ? -1 : err_wrap(err, "%s", op->image_path);
    if (check_place(ext, &place, op, err) < 0)
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
    return err_set(err, ERR_INTERNAL, 0, "an operation has an unknown kind");
}
