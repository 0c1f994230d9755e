/* Checks the whole plan against a file system before anything is written. A trial carries it out, block for
 * block except for the content of files, so that a plan that passes cannot run out of blocks or inodes
 * later. */
#include <string.h>

#include "fs/ext/ext.h"

struct free_space {
    uint64_t blocks, reserved, inodes; /* at the start; root's reserve keeps a full node alive */
};

static struct free_space free_space_of(const struct ext *ext)
{
    const struct ext2_super_block *sb = ext->fs->super;
    return (struct free_space){.blocks = ext2fs_free_blocks_count(ext->fs->super),
                               .reserved = ext2fs_r_blocks_count(ext->fs->super),
                               .inodes = sb->s_free_inodes_count};
}

static void format_size(uint64_t bytes, char out[static 24])
{
    double mib = (double)bytes / (1024 * 1024);
    if (mib >= 10240)
        snprintf(out, 24, "%.1f GiB", mib / 1024);
    else
        snprintf(out, 24, mib >= 100 ? "%.0f MiB" : "%.1f MiB", mib);
}

static int no_blocks(const struct ext *ext, const struct free_space *before, uint64_t need, const char *path,
                     struct err *err)
{
    const struct partition *partition = ext->partition;
    uint64_t size = ext->fs->blocksize,
             usable = before->blocks > before->reserved ? before->blocks - before->reserved : 0;
    char needed[24], available[24], more[24];
    if (need <= usable) /* blocks that one operation frees come too late for earlier ones */
        need = usable + 1;
    format_size(need * size, needed);
    format_size(usable * size, available);
    format_size((need - usable) * size, more);
    return err_set(
        err, ERR_SPACE, 0,
        "%s (partition %u): %s: no space: need %s, free %s. Raise disk.size in the recipe by %s or more",
        partition->label, partition->number, path, needed, available, more);
}

static int no_inodes(const struct ext *ext, const struct free_space *before, const struct plan_op *ops,
                     size_t count, struct err *err)
{
    const struct partition *partition = ext->partition;
    size_t objects = 0;
    for (size_t i = 0; i < count; i++)
        objects += ops[i].kind != PLAN_REMOVE;
    return err_set(err, ERR_SPACE, 0,
                   "%s (partition %u): not enough inodes: up to %zu files, folders and links are needed, "
                   "%llu inodes are free. Raise disk.size, or embed an archive instead of many small files",
                   partition->label, partition->number, objects, (unsigned long long)before->inodes);
}

/* Blocks for the content of OPS, without the file system's own metadata. */
static uint64_t blocks_wanted(const struct ext *ext, const struct plan_op *ops, size_t count)
{
    uint64_t blocks = 0, size = ext->fs->blocksize;
    for (size_t i = 0; i < count; i++)
        if (ops[i].kind == PLAN_FILE)
            blocks += ops[i].content.size / size + (ops[i].content.size % size != 0);
        else
            blocks += ops[i].kind == PLAN_DIR;
    return blocks;
}

static const char *largest_file(const struct plan_op *ops, size_t count)
{
    const struct plan_op *found = NULL;
    for (size_t i = 0; i < count; i++)
        if (ops[i].kind == PLAN_FILE && (!found || ops[i].content.size >= found->content.size))
            found = &ops[i];
    return found ? found->image_path : count > 0 ? ops[0].image_path : "";
}

int ext_check(struct ext *ext, const struct plan_op *ops, size_t count, const struct run *run,
              struct err *err)
{
    struct free_space before = free_space_of(ext);
    for (size_t i = 0; i < count; i++) {
        if (run_check(run, err) < 0)
            return -1;
        uint64_t at_start = ext2fs_free_blocks_count(ext->fs->super);
        if (ext_write_op(ext, &ops[i], run, err) == 0)
            continue;
        if (err->kind != ERR_SPACE)
            return -1;
        if (ext->last == EXT2_ET_INODE_ALLOC_FAIL)
            return no_inodes(ext, &before, ops, count, err);
        if (ext->last != EXT2_ET_BLOCK_ALLOC_FAIL)
            return -1;
        uint64_t used = before.blocks > at_start ? before.blocks - at_start : 0;
        return no_blocks(ext, &before, used + blocks_wanted(ext, ops + i, count - i),
                         largest_file(ops, count), err);
    }
    struct free_space after = free_space_of(ext);
    if (after.blocks < after.reserved && after.blocks < before.blocks)
        return no_blocks(ext, &before, before.blocks - after.blocks, largest_file(ops, count), err);
    return 0;
}
