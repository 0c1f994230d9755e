#include "fs/fs.h"

#include <stdarg.h>

#include "fs/ext/ext.h"

/* One partition's operations, in the plan's order: it is sorted by kind, then by partition. */
struct share {
    const struct partition *partition;
    struct plan_op *ops;
    size_t count;
};

static void share_free(struct share *share)
{
    free(share->ops);
}

static int collect_share(const struct plan *plan, const struct partition *partition, struct share *ret,
                         struct err *err)
{
    struct share share = {.partition = partition};
    share.ops = calloc(plan->op_count + 1, sizeof *share.ops);
    if (!share.ops)
        return err_oom(err);
    for (size_t i = 0; i < plan->op_count; i++)
        if (plan->ops[i].partition == partition->number)
            share.ops[share.count++] = plan->ops[i];
    *ret = share;
    return 0;
}

/* Names the alternative: ROOT is the only file system that a node's files can be baked into. */
static int not_ext(const struct partition *partition, const char *path, struct err *err)
{
    return err_set(
        err, ERR_LAYOUT, 0,
        "%s (partition %u): %s cannot be written: the partition holds %s, and bake writes only ext4. Put the "
        "node's files on ROOT, below /etc, /opt or /var%s",
        partition->label, partition->number, path, fs_type_name(partition->fs),
        partition->role == ROLE_OEM
            ? "; an Ignition config can be the instance's user-data instead of a file in /oem"
            : "");
}

static int check_share(const struct disk *disk, const struct plan *plan, const struct partition *partition,
                       const struct run *run, struct err *err)
{
    cleanup(share_free) struct share share = {0};
    if (collect_share(plan, partition, &share, err) < 0 || share.count == 0)
        return share.ops ? 0 : -1;
    if (partition->fs != FS_EXT)
        return not_ext(partition, share.ops[0].image_path, err);
    cleanup_ext struct ext ext = {0};
    if (ext_open(&ext, EXT_TRIAL, disk, NULL, partition, NULL, plan->epoch, err) < 0)
        return -1;
    return ext_check(&ext, share.ops, share.count, run, err);
}

static int known_partitions(const struct layout *layout, const struct plan *plan, struct err *err)
{
    for (size_t i = 0; i < plan->op_count; i++) {
        bool found = false;
        for (unsigned p = 0; p < layout->partition_count && !found; p++)
            found = layout->partitions[p].number == plan->ops[i].partition;
        if (!found)
            return err_set(err, ERR_INTERNAL, 0,
                           "%s: the plan names partition %u, which the disk does not have",
                           plan->ops[i].image_path, plan->ops[i].partition);
    }
    return 0;
}

/* libext2fs reports some damage on standard error; this library's caller reports it instead. */
static void discard_message(const char *who, long code, const char *fmt, va_list args)
{
    (void)who;
    (void)code;
    (void)fmt;
    (void)args;
}

typedef void (*hook_fn)(const char *, long, const char *, va_list);

static void restore_hook(const hook_fn *hook)
{
    set_com_err_hook(*hook);
}

int fs_check(const struct disk *disk, const struct layout *layout, const struct plan *plan,
             const struct run *run, struct err *err)
{
    cleanup(restore_hook) const hook_fn hook = set_com_err_hook(discard_message);
    (void)hook; /* restored at the end of the scope */
    if (known_partitions(layout, plan, err) < 0)
        return -1;
    for (unsigned i = 0; i < layout->partition_count; i++)
        if (check_share(disk, plan, &layout->partitions[i], run, err) < 0)
            return -1;
    return 0;
}

static void count_op(struct fs_changes *changes, enum plan_op_kind kind)
{
    changes->files += kind == PLAN_FILE;
    changes->directories += kind == PLAN_DIR;
    changes->symlinks += kind == PLAN_SYMLINK;
    changes->removed += kind == PLAN_REMOVE;
}

static int apply_share(struct disk *disk, const struct plan *plan, const struct partition *partition,
                       const struct run *run, struct fs_changes *changes, struct err *err)
{
    cleanup(share_free) struct share share = {0};
    if (collect_share(plan, partition, &share, err) < 0 || share.count == 0)
        return share.ops ? 0 : -1;
    for (size_t i = 0; i < share.count; i++)
        count_op(changes, share.ops[i].kind);
    cleanup_ext struct ext ext = {0};
    if (ext_open(&ext, EXT_WRITE, disk, disk, partition, &changes->ranges, plan->epoch, err) < 0)
        return -1;
    for (size_t i = 0; i < share.count; i++)
        if (run_check(run, err) < 0 || ext_write_op(&ext, &share.ops[i], run, err) < 0)
            return -1;
    return ext_commit(&ext, err);
}

int fs_apply(struct disk *disk, const struct layout *layout, const struct plan *plan, const struct run *run,
             struct fs_changes *ret, struct err *err)
{
    if (fs_check(disk, layout, plan, run, err) < 0)
        return -1;
    cleanup(restore_hook) const hook_fn hook = set_com_err_hook(discard_message);
    (void)hook; /* restored at the end of the scope */
    cleanup_fs_changes struct fs_changes changes = {0};
    for (unsigned i = 0; i < layout->partition_count; i++)
        if (apply_share(disk, plan, &layout->partitions[i], run, &changes, err) < 0)
            return -1;
    if (!ranges_sort(&changes.ranges))
        return err_oom(err);
    changes.bytes_changed = ranges_bytes(&changes.ranges);
    *ret = changes;
    changes.ranges = (struct ranges){0};
    return 0;
}
