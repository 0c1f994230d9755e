/* Checks by the superblock that a file system may be opened or written, before libext2fs trusts any of it.
 *
 * Source: Documentation/filesystems/ext4/super.rst of the Linux kernel.
 */
#include <string.h>

#include "fs/ext/ext.h"

enum { SUPERBLOCK_AT = 1024, BLOCK_LOG_MAX = 6 /* 64 KiB */ };

/* Seconds since 1970: a small inode has 32 bits, signed; a large one has two bits more. */
static const int64_t TIME_MAX_SMALL = INT32_MAX, TIME_MAX_LARGE = INT64_C(0x37fffffff);

static int refuse(const struct partition *partition, struct err *err, const char *what)
{
    return err_set(err, ERR_LAYOUT, 0, "%s (partition %u): %s", partition->label, partition->number, what);
}

/* Checks that the file system is what e2fsck calls clean. */
static int check_state(const struct partition *partition, const struct ext2_super_block *sb, struct err *err)
{
    if (sb->s_feature_incompat & EXT3_FEATURE_INCOMPAT_RECOVER)
        return refuse(partition, err,
                      "its journal holds changes that were not replayed: the base was not unmounted cleanly. "
                      "Run e2fsck -f on the base, or use the image as released");
    if (sb->s_state & EXT2_ERROR_FS)
        return refuse(partition, err,
                      "it is marked as having errors: run e2fsck -f on the base, or use another base");
    if (!(sb->s_state & EXT2_VALID_FS) || sb->s_last_orphan != 0 ||
        (sb->s_feature_ro_compat & EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT))
        return refuse(partition, err,
                      "it was not unmounted cleanly: run e2fsck -f on the base, or use another base");
    return 0;
}

/* Features that libext2fs opens, but whose metadata it does not update when it writes. */
static const char *unwritable(const struct ext2_super_block *sb)
{
    if (sb->s_feature_ro_compat & (EXT4_FEATURE_RO_COMPAT_QUOTA | EXT4_FEATURE_RO_COMPAT_PROJECT))
        return "its quota would become wrong: turn it off with tune2fs -O ^quota,^project";
    if (sb->s_feature_ro_compat & (EXT4_FEATURE_RO_COMPAT_VERITY | EXT4_FEATURE_RO_COMPAT_SHARED_BLOCKS |
                                   EXT4_FEATURE_RO_COMPAT_READONLY))
        return "it is marked read-only, shared or verity-protected";
    if (sb->s_feature_incompat & (EXT4_FEATURE_INCOMPAT_ENCRYPT | EXT4_FEATURE_INCOMPAT_CASEFOLD))
        return "encrypted or case-insensitive folders are not supported";
    if (sb->s_feature_incompat & EXT4_FEATURE_INCOMPAT_EA_INODE)
        return "attributes in inodes of their own (ea_inode) are not supported";
    if (sb->s_feature_incompat & (EXT3_FEATURE_INCOMPAT_JOURNAL_DEV | EXT4_FEATURE_INCOMPAT_MMP))
        return "an external journal or multiple-mount protection is not supported";
    return NULL;
}

static int check_features(const struct partition *partition, const struct ext2_super_block *sb, bool writing,
                          struct err *err)
{
    unsigned incompat = sb->s_feature_incompat & ~(unsigned)EXT2_LIB_FEATURE_INCOMPAT_SUPP;
    unsigned ro_compat = sb->s_feature_ro_compat & ~(unsigned)EXT2_LIB_FEATURE_RO_COMPAT_SUPP;
    const char *why = writing ? unwritable(sb) : NULL;
    if (sb->s_feature_ro_compat & EXT4_FEATURE_RO_COMPAT_BIGALLOC)
        why = "bigalloc is not supported: create the base's file system without it";
    if (why)
        return refuse(partition, err, why);
    if (incompat == 0 && (ro_compat == 0 || !writing))
        return 0;
    return err_set(err, ERR_LAYOUT, 0,
                   "%s (partition %u): it has features that this libext2fs does not support (incompat 0x%x, "
                   "ro_compat 0x%x): use a newer e2fsprogs, or create the base's file system without them",
                   partition->label, partition->number, incompat, ro_compat);
}

/* Checks the numbers that libext2fs uses as buffer sizes without checking them all. A group's bitmap fits
 * into one block. */
static bool numbers_ok(const struct ext2_super_block *sb)
{
    uint64_t size = UINT64_C(1024) << sb->s_log_block_size;
    bool dynamic = sb->s_rev_level > EXT2_GOOD_OLD_REV;
    return sb->s_blocks_per_group >= 8 && sb->s_blocks_per_group % 8 == 0 &&
           sb->s_blocks_per_group <= size * 8 && sb->s_clusters_per_group == sb->s_blocks_per_group &&
           sb->s_log_cluster_size == sb->s_log_block_size && sb->s_inodes_per_group >= 8 &&
           sb->s_inodes_per_group % 8 == 0 && sb->s_inodes_per_group <= size * 8 &&
           sb->s_inodes_count >= sb->s_inodes_per_group && sb->s_reserved_gdt_blocks <= size / 4 &&
           sb->s_first_data_block == (size == 1024) &&
           (!dynamic || sb->s_first_ino >= EXT2_GOOD_OLD_FIRST_INO) &&
           (!dynamic || sb->s_first_ino <= sb->s_inodes_count);
}

static int check_size(const struct partition *partition, const struct ext2_super_block *sb, struct err *err)
{
    if (sb->s_log_block_size > BLOCK_LOG_MAX || !numbers_ok(sb))
        return refuse(partition, err, "its superblock is damaged: run e2fsck -f on the base");
    uint64_t blocks = sb->s_blocks_count, size = UINT64_C(1024) << sb->s_log_block_size;
    if (sb->s_feature_incompat & EXT4_FEATURE_INCOMPAT_64BIT)
        blocks |= (uint64_t)sb->s_blocks_count_hi << 32;
    if (blocks > partition->size / size)
        return refuse(partition, err, "the file system is larger than its partition");
    return 0;
}

static int check_time(const struct partition *partition, const struct ext2_super_block *sb, int64_t epoch,
                      struct err *err)
{
    bool large = sb->s_rev_level > 0 && sb->s_inode_size > EXT2_GOOD_OLD_INODE_SIZE;
    if (epoch >= 0 && epoch <= (large ? TIME_MAX_LARGE : TIME_MAX_SMALL))
        return 0;
    return err_set(
        err, ERR_LAYOUT, 0,
        "%s (partition %u): its inodes cannot store the time %lld, only 0 to %lld seconds since 1970: set "
        "SOURCE_DATE_EPOCH to an earlier time",
        partition->label, partition->number, (long long)epoch,
        (long long)(large ? TIME_MAX_LARGE : TIME_MAX_SMALL));
}

int ext_check_features(const struct disk *disk, const struct partition *partition, bool writing,
                       int64_t epoch, struct err *err)
{
    struct ext2_super_block sb;
    if (partition->size < SUPERBLOCK_AT + sizeof sb)
        return refuse(partition, err, "it is too small for a file system");
    if (disk_read(disk, &sb, sizeof sb, partition->start + SUPERBLOCK_AT, err) < 0)
        return err_wrap(err, "%s (partition %u)", partition->label, partition->number);
#ifdef WORDS_BIGENDIAN
    ext2fs_swap_super(&sb);
#endif
    if (sb.s_magic != EXT2_SUPER_MAGIC)
        return refuse(partition, err, "it holds no ext2, ext3 or ext4 file system");
    if (check_features(partition, &sb, writing, err) < 0 || check_size(partition, &sb, err) < 0)
        return -1;
    if (!writing)
        return 0;
    return check_state(partition, &sb, err) < 0 ? -1 : check_time(partition, &sb, epoch, err);
}
