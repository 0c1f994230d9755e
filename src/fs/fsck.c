/* An independent check: e2fsck(8) shares none of this code and checks more than libext2fs would.
 *
 * Another process cannot read a disk that is a view, so e2fsck gets an outline: a sparse file of the
 * partition's size with everything except the content of files, which it does not read. Anything missing from
 * the outline by mistake reads as zeros, which can make e2fsck report an error, but never hide one.
 */
#include "fs/fsck.h"

#include <string.h>

#include "fs/ext/ext.h"
#include "fs/fs.h"
#include "fs/scratch.h"
#include "io/file.h"
#include "io/proc.h"

enum { TIMEOUT_MS = 600000, FINDINGS = 3, FINDINGS_CAP = 600 };

enum { FSCK_UNCORRECTED = 4 /* exit status: e2fsck(8) */ };

/* The length of the part of LINE that reports a fault: 0 for e2fsck's other lines ("e2fsck 1.47.0
 * (5-Feb-2023)", "Pass 1: ...", the summaries); "Fix? no" and the like, which follow two spaces or stand
 * alone, are cut off. */
static size_t finding(const char *line, size_t len, const char *image)
{
    static const char *const frame[] = {"e2fsck ", "Pass ", "\t"};
    static const char answer[] = "? no";
    for (size_t i = 0; i < sizeof frame / sizeof *frame; i++)
        if (strncmp(line, frame[i], strlen(frame[i])) == 0)
            return 0;
    if (strncmp(line, image, strlen(image)) == 0)
        return 0;
    if (len >= strlen(answer) && strncmp(line + len - strlen(answer), answer, strlen(answer)) == 0)
        while (len > 0 && !(len > 1 && line[len - 1] == ' ' && line[len - 2] == ' '))
            len--;
    while (len > 0 && line[len - 1] == ' ')
        len--;
    return len;
}

static void first_findings(const char *text, const char *image, char out[static FINDINGS_CAP])
{
    size_t at = 0, count = 0;
    out[0] = '\0';
    while (*text && count < FINDINGS) {
        size_t len = strcspn(text, "\n"), part = finding(text, len, image);
        if (part > 0) {
            int n = snprintf(out + at, FINDINGS_CAP - at, "%s%.*s", count++ ? "; " : "", (int)part, text);
            if (n < 0 || (size_t)n >= FINDINGS_CAP - at)
                return;
            at += (size_t)n;
        }
        text += len + (text[len] == '\n');
    }
}

int fsck_file(int fd, const struct partition *partition, const struct run *run, struct err *err)
{
    char image[32], found[FINDINGS_CAP];
    snprintf(image, sizeof image, "/proc/self/fd/%d", fd);
    const char *const argv[] = {"e2fsck", "-fn", image, NULL};
    /* this machine's e2fsck.conf is meant for its own disks */
    const char *const env[] = {"E2FSCK_CONFIG=/dev/null", "LC_ALL=C.UTF-8", NULL};
    const int pass[] = {fd, -1};
    const struct proc_spec spec = {.argv = argv,
                                   .package = "e2fsprogs",
                                   .env = env,
                                   .stdin_fd = -1,
                                   .pass_fds = pass,
                                   .timeout_ms = TIMEOUT_MS,
                                   .max_output = 64 << 10};
    cleanup_proc_result struct proc_result result = {0};
    if (proc_run(&spec, run, &result, err) < 0)
        return -1;
    if (result.status == 0)
        return 0;
    first_findings(result.out.data ? result.out.data : "", image, found);
    if (result.status == FSCK_UNCORRECTED && found[0])
        return err_set(err, ERR_LAYOUT, 0, "%s (partition %u): e2fsck found errors: %s", partition->label,
                       partition->number, found);
    return err_set(err, ERR_IO, 0, "%s (partition %u): e2fsck could not check it (exit status %d): %.300s",
                   partition->label, partition->number, result.status,
                   result.err.data ? result.err.data : found);
}

/* The byte ranges of the disk that e2fsck reads. */
struct outline {
    const struct ext *ext;
    struct ranges ranges;
    bool data; /* include the content of the current object */
};

static void outline_free(struct outline *outline)
{
    ranges_free(&outline->ranges);
}

static void add_blocks(struct outline *outline, blk64_t first, uint64_t count)
{
    const struct ext *ext = outline->ext;
    uint64_t block = ext->fs->blocksize, total = ext->window.size / block;
    if (first < total)
        ranges_append(&outline->ranges, ext->window.start + first * block,
                      (count < total - first ? count : total - first) * block);
}

static void add_groups(struct outline *outline)
{
    ext2_filsys fs = outline->ext->fs;
    for (dgrp_t group = 0; group < fs->group_desc_count; group++) {
        blk64_t super = 0, old_table = 0, new_table = 0;
        ext2fs_super_and_bgd_loc2(fs, group, &super, &old_table, &new_table, NULL);
        add_blocks(outline, super, 1);
        if (old_table)
            add_blocks(outline, old_table, fs->desc_blocks + (uint64_t)fs->super->s_reserved_gdt_blocks);
        if (new_table)
            add_blocks(outline, new_table, 1);
        add_blocks(outline, ext2fs_block_bitmap_loc(fs, group), 1);
        add_blocks(outline, ext2fs_inode_bitmap_loc(fs, group), 1);
        add_blocks(outline, ext2fs_inode_table_loc(fs, group), fs->inode_blocks_per_group);
    }
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libext2fs's */
static int take_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t logical, blk64_t ref, int ref_offset,
                      void *ctx)
{
    (void)fs;
    (void)ref;
    (void)ref_offset;
    struct outline *outline = ctx;
    if (logical < 0 || outline->data)
        add_blocks(outline, *block, 1);
    return 0;
}

/* An extent tree that fits into the inode has no blocks of its own. */
static bool is_flat(const struct ext2_inode *inode)
{
    const struct ext3_extent_header *header = (const void *)inode->i_block;
    return (inode->i_flags & EXT4_EXTENTS_FL) && ext2fs_le16_to_cpu(header->eh_depth) == 0;
}

static void add_inode(struct outline *outline, ext2_ino_t ino, struct ext2_inode *inode)
{
    ext2_filsys fs = outline->ext->fs;
    if (inode->i_links_count == 0 && ino >= EXT2_FIRST_INO(fs->super))
        return;
    blk64_t attributes = ext2fs_file_acl_block(fs, inode);
    if (attributes)
        add_blocks(outline, attributes, 1);
    if (!ext2fs_inode_has_valid_blocks2(fs, inode))
        return;
    outline->data = ino < EXT2_FIRST_INO(fs->super) || ino == fs->super->s_orphan_file_inum ||
                    LINUX_S_ISDIR(inode->i_mode) || LINUX_S_ISLNK(inode->i_mode);
    if (outline->data || !is_flat(inode)) /* e2fsck reports what cannot be walked */
        (void)ext2fs_block_iterate3(fs, ino, BLOCK_FLAG_READ_ONLY, NULL, take_block, outline);
}

static void close_scan(const ext2_inode_scan *scan)
{
    if (*scan)
        ext2fs_close_inode_scan(*scan);
}

static int add_inodes(struct outline *outline, const struct run *run, struct err *err)
{
    cleanup(close_scan) ext2_inode_scan scan = NULL;
    struct ext2_inode inode;
    ext2_ino_t ino = 0;
    errcode_t code = ext2fs_open_inode_scan(outline->ext->fs, 0, &scan);
    while (!code) {
        code = ext2fs_get_next_inode(scan, &ino, &inode);
        if (ino == 0)
            break;
        if (code == 0 || code == EXT2_ET_INODE_CSUM_INVALID)
            add_inode(outline, ino, &inode);
        if (code == EXT2_ET_INODE_CSUM_INVALID || code == EXT2_ET_INODE_IS_GARBAGE)
            code = 0;
        if (run_check(run, err) < 0)
            return -1;
    }
    return 0; /* e2fsck reports what cannot be read */
}

static int copy_outline(const struct disk *disk, const struct partition *partition,
                        const struct ranges *ranges, int to, const struct run *run, struct err *err)
{
    for (size_t i = 0; i < ranges->count; i++) {
        const struct range *range = &ranges->items[i];
        if (scratch_copy(disk, partition, range->off, range->end, to, run, err) < 0)
            return -1;
    }
    return 0;
}

int fsck_partition(const struct disk *disk, const struct partition *partition, const char *scratch_dir,
                   const struct run *run, struct err *err)
{
    cleanup_ext struct ext ext = {0};
    cleanup_close int scratch = -1;
    if (ext_open(&ext, EXT_READ, disk, NULL, partition, NULL, 0, err) < 0)
        return -1;
    cleanup(outline_free) struct outline outline = {.ext = &ext};
    add_groups(&outline);
    if (add_inodes(&outline, run, err) < 0)
        return -1;
    if (!ranges_sort(&outline.ranges))
        return err_oom(err);
    if (scratch_open(scratch_dir, partition, &scratch, err) < 0 ||
        copy_outline(disk, partition, &outline.ranges, scratch, run, err) < 0)
        return -1;
    return fsck_file(scratch, partition, run, err);
}

static bool is_written(const struct plan *plan, unsigned number)
{
    for (size_t i = 0; i < plan->op_count; i++)
        if (plan->ops[i].partition == number)
            return true;
    return false;
}

int fs_fsck(const struct disk *disk, const struct layout *layout, const struct plan *plan,
            const char *scratch_dir, const struct run *run, struct err *err)
{
    for (unsigned i = 0; i < layout->partition_count; i++) {
        const struct partition *partition = &layout->partitions[i];
        if (partition->fs == FS_EXT && is_written(plan, partition->number) &&
            fsck_partition(disk, partition, scratch_dir, run, err) < 0)
            return -1;
    }
    return 0;
}
