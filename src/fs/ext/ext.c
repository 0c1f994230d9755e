#include "fs/ext/ext.h"

#include <string.h>

int ext_error(struct ext *ext, errcode_t code, const char *path, struct err *err)
{
    const struct partition *partition = ext->partition;
    const struct err *why = &ext->window.why;
    ext->last = code;
    initialize_ext2_error_table();
    if (why->kind != ERR_NONE) /* the disk's own error says more than libext2fs's code */
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

int ext_refuse(const struct ext *ext, const char *path, const char *what, struct err *err)
{
    const struct partition *partition = ext->partition;
    return err_set(err, ERR_LAYOUT, 0, "%s (partition %u): %s: %s", partition->label, partition->number, path,
                   what);
}

enum { READS_PER_BLOCK = 32, READS_BASE = 65536 };

int ext_open(struct ext *ext, enum ext_mode mode, const struct disk *reader, struct disk *writer,
             const struct partition *partition, struct ranges *changes, int64_t epoch, struct err *err)
{
    *ext = (struct ext){.partition = partition};
    if (ext_check_features(reader, partition, mode != EXT_READ, epoch, err) < 0)
        return -1;
    ext->window = (struct window){.reader = reader,
                                  .writer = mode == EXT_WRITE ? writer : NULL,
                                  .trial = mode == EXT_TRIAL,
                                  .start = partition->start,
                                  .size = partition->size,
                                  .changes = changes,
                                  .reads_left = READS_BASE + partition->size / EXT2_MIN_BLOCK_SIZE};
    window_init(&ext->window);
    char name[WINDOW_NAME_CAP];
    window_name(&ext->window, name);
    int flags = EXT2_FLAG_64BITS | (mode == EXT_READ ? 0 : EXT2_FLAG_RW);
    errcode_t code = ext2fs_open2(name, NULL, flags, 0, 0, &ext->window.manager, &ext->fs);
    if (code) {
        ext->fs = NULL;
        return ext_error(ext, code, "", err);
    }
    const struct ext2_super_block *sb = ext->fs->super;
    ext->window.reads_left =
        READS_BASE + READS_PER_BLOCK * (ext2fs_blocks_count(ext->fs->super) + (uint64_t)sb->s_inodes_count);
    /* 0 means "the current time" to libext2fs, and "not deleted" in an inode */
    ext->fs->now = epoch > 0 ? epoch : 1;
    ext->fs->umask = 022;
    if (mode == EXT_READ)
        return 0;
    code = ext2fs_read_bitmaps(ext->fs);
    return code ? ext_error(ext, code, "reading its bitmaps", err) : 0;
}

int ext_commit(struct ext *ext, struct err *err)
{
    errcode_t code = ext2fs_close_free(&ext->fs);
    if (!code && ext->window.why.kind != ERR_NONE) /* libext2fs ignores failed writes of backup superblocks */
        code = EXT2_ET_SHORT_WRITE;
    return code ? ext_error(ext, code, "writing its metadata", err) : 0;
}

void ext_free(struct ext *ext)
{
    if (ext->fs) {
        ext->fs->flags &= ~(EXT2_FLAG_DIRTY | EXT2_FLAG_CHANGED | EXT2_FLAG_BB_DIRTY | EXT2_FLAG_IB_DIRTY);
        ext2fs_free(ext->fs);
        ext->fs = NULL;
    }
    window_free(&ext->window);
}
