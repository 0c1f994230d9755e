#include "fs/ext.h"

#include <string.h>

int ext_error(struct ext *ext, errcode_t code, const char *path, struct err *err)
{
    const struct partition *partition = ext->partition;
    const struct err *why = &ext->window.why;
    initialize_ext2_error_table();
    if (why->kind != ERR_NONE) /* the disk below said more than libext2fs's number */
        return err_set(err, why->kind, why->kind == ERR_SPACE || why->kind == ERR_IO ? 0 : why->errnum,
                       "%s (partition %u): %s%s%s", partition->label, partition->number, path,
                       *path ? ": " : "", why->text);
    enum err_kind kind = ERR_LAYOUT;
    if (code == EXT2_ET_BLOCK_ALLOC_FAIL || code == EXT2_ET_INODE_ALLOC_FAIL || code == EXT2_ET_EA_NO_SPACE ||
        code == EXT2_ET_DIR_NO_SPACE)
        kind = ERR_SPACE;
    else if (code == EXT2_ET_NO_MEMORY)
        kind = ERR_INTERNAL;
    return err_set(err, kind, 0, "%s (partition %u): %s%s%s", partition->label, partition->number, path,
                   *path ? ": " : "", error_message(code));
}

static int refuse(const struct partition *partition, struct err *err, const char *what)
{
    return err_set(err, ERR_LAYOUT, 0, "%s (partition %u): %s", partition->label, partition->number, what);
}

/* Features that libext2fs opens, but whose bookkeeping it does not keep up when it writes. */
static const char *unwritable(const struct ext2_super_block *sb)
{
    if (sb->s_feature_ro_compat & (EXT4_FEATURE_RO_COMPAT_QUOTA | EXT4_FEATURE_RO_COMPAT_PROJECT))
        return "its quota would no longer be right: switch it off with tune2fs -O ^quota,^project";
    if (sb->s_feature_ro_compat & EXT4_FEATURE_RO_COMPAT_BIGALLOC)
        return "bigalloc is not supported";
    if (sb->s_feature_ro_compat & (EXT4_FEATURE_RO_COMPAT_VERITY | EXT4_FEATURE_RO_COMPAT_SHARED_BLOCKS |
                                   EXT4_FEATURE_RO_COMPAT_READONLY))
        return "it is marked read-only, shared or verity-protected";
    if (sb->s_feature_incompat & (EXT4_FEATURE_INCOMPAT_ENCRYPT | EXT4_FEATURE_INCOMPAT_CASEFOLD))
        return "encrypted or case-insensitive folders are not supported";
    if (sb->s_feature_incompat & (EXT3_FEATURE_INCOMPAT_JOURNAL_DEV | EXT4_FEATURE_INCOMPAT_MMP))
        return "an external journal or multiple-mount protection is not supported";
    return NULL;
}

static int judge(const struct ext *ext, struct err *err)
{
    const struct partition *partition = ext->partition;
    const struct ext2_super_block *sb = ext->fs->super;
    if (sb->s_feature_incompat & EXT3_FEATURE_INCOMPAT_RECOVER)
        return refuse(
            partition, err,
            "its journal holds changes that were never replayed: the base was not unmounted cleanly. "
            "Run e2fsck on it, or take the image as it was released");
    if (sb->s_state & EXT2_ERROR_FS)
        return refuse(partition, err,
                      "it is marked as having errors: run e2fsck -f on the base, or take another one");
    if (!(sb->s_state & EXT2_VALID_FS) || sb->s_last_orphan != 0 ||
        (sb->s_feature_ro_compat & EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT))
        return refuse(partition, err,
                      "it was not unmounted cleanly: run e2fsck -f on the base, or take another one");
    const char *why = unwritable(sb);
    if (why)
        return refuse(partition, err, why);
    if (ext2fs_blocks_count(ext->fs->super) > partition->size / ext->fs->blocksize)
        return refuse(partition, err, "the file system is larger than its partition");
    return 0;
}

int ext_open(struct ext *ext, const struct disk *reader, struct disk *writer,
             const struct partition *partition, struct ranges *changes, int64_t epoch, struct err *err)
{
    *ext = (struct ext){.partition = partition,
                        .window = {.reader = reader,
                                   .writer = writer,
                                   .start = partition->start,
                                   .size = partition->size,
                                   .changes = changes}};
    window_init(&ext->window);
    char name[WINDOW_NAME_CAP];
    window_name(&ext->window, name);
    int flags = EXT2_FLAG_64BITS | (writer ? EXT2_FLAG_RW : 0);
    errcode_t code = ext2fs_open2(name, NULL, flags, 0, 0, &ext->window.manager, &ext->fs);
    if (code) {
        ext->fs = NULL;
        return ext_error(ext, code, "", err);
    }
    ext->fs->now = epoch;
    ext->fs->umask = 022;
    if (judge(ext, err) < 0)
        return -1;
    code = ext2fs_read_bitmaps(ext->fs);
    return code ? ext_error(ext, code, "its bitmaps", err) : 0;
}

int ext_commit(struct ext *ext, struct err *err)
{
    errcode_t code = ext2fs_close_free(&ext->fs);
    if (!code &&
        ext->window.why.kind != ERR_NONE) /* libext2fs lets failed writes of backup superblocks pass */
        code = EXT2_ET_SHORT_WRITE;
    return code ? ext_error(ext, code, "writing its metadata", err) : 0;
}

void ext_free(struct ext *ext)
{
    if (!ext->fs)
        return;
    ext->fs->flags &= ~(EXT2_FLAG_DIRTY | EXT2_FLAG_CHANGED | EXT2_FLAG_BB_DIRTY | EXT2_FLAG_IB_DIRTY);
    ext2fs_free(ext->fs);
    ext->fs = NULL;
}
