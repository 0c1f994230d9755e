/* What the fs tests share: a scratch folder, images made by mke2fs, plans. */
#ifndef BAKE_TESTS_UNIT_FS_FS_RIG_H
#define BAKE_TESTS_UNIT_FS_FS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/fs.h"
#include "tests/support/lib/ext_read.h"
#include "io/file.h"
#include "io/proc.h"

enum { MIB = 1 << 20, RIG_OFFSET = 2 * MIB, RIG_NUMBER = 9 };
static const int64_t RIG_EPOCH = 1600000000;

static char rig_dir[] = "/tmp/bake-test-fs.XXXXXX";

/* Runs SCRIPT in bash with the scratch folder as $1; its output goes to OUT, which may be NULL. */
static int print_like(2, 3) rig_output(struct buf *out, const char *script, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, script);
    vsnprintf(text, sizeof text, script, ap);
    va_end(ap);
    struct err err = {0};
    const char *const argv[] = {"bash", "-c", text, "sh", rig_dir, NULL};
    const struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .max_output = 4 << 20};
    cleanup_proc_result struct proc_result result = {0};
    if (proc_run(&spec, NULL, &result, &err) < 0)
        fail_msg("%s", err.text);
    if (out && result.out.data)
        buf_add(out, result.out.data, result.out.len);
    if (result.status != 0)
        print_message("%s: %d\n%s%s\n", text, result.status, result.out.data ? result.out.data : "",
                      result.err.data ? result.err.data : "");
    return result.status;
}
#define rig_shell(...) rig_output(NULL, __VA_ARGS__)

static int rig_set_up(void **state)
{
    (void)state;
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    return mkdtemp(rig_dir) ? 0 : -1;
}

static int rig_tear_down(void **state)
{
    (void)state;
    return rig_shell("rm -r \"$1\"");
}

static inline struct disk rig_open(const char *name)
{
    struct err err = {0};
    struct disk disk = DISK_EMPTY;
    char path[200];
    snprintf(path, sizeof path, "%s/%s", rig_dir, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(disk_from_fd(fd, &disk, &err), 0);
    return disk;
}

/* A disk in $1/NAME: FEATURES for mke2fs, SIZE_MIB of file system at 2 MiB, 4 MiB of disk behind it, filled
 * from $1/tree. */
static inline struct disk rig_disk(const char *name, const char *features, unsigned size_mib)
{
    assert_int_equal(rig_shell("mkdir -p $1/tree; rm -f $1/%s; truncate -s %uM $1/%s && mke2fs -q -F %s -E "
                               "offset=%d,root_owner=0:0 -d $1/tree $1/%s %uM",
                               name, size_mib + 6, name, features, RIG_OFFSET, name, size_mib),
                     0);
    return rig_open(name);
}

static inline struct layout rig_layout(const struct disk *disk, enum partition_role role, enum fs_type fs)
{
    struct layout layout = {.partition_count = 1, .disk_size = disk->size};
    layout.partitions[0] = (struct partition){
        .number = RIG_NUMBER, .start = RIG_OFFSET, .size = disk->size - 6 * MIB, .role = role, .fs = fs};
    snprintf(layout.partitions[0].label, LABEL_CAP, "%s", role == ROLE_ROOT ? "ROOT" : "OEM");
    return layout;
}

static inline struct plan_op rig_op(enum plan_op_kind kind, const char *path, uint32_t mode)
{
    return (struct plan_op){
        .kind = kind, .partition = RIG_NUMBER, .path = path, .image_path = path, .mode = mode};
}

static inline struct plan_op rig_file(const char *path, uint32_t mode, const void *bytes, size_t len)
{
    struct err err = {0};
    struct plan_op made = rig_op(PLAN_FILE, path, mode);
    assert_int_equal(blob_from_memory(bytes, len, &made.content, &err), 0);
    return made;
}

static inline struct plan_op rig_link(const char *path, const char *target)
{
    struct plan_op made = rig_op(PLAN_SYMLINK, path, 0777);
    made.target = target;
    return made;
}

static inline struct plan rig_plan(struct plan_op *ops, size_t count)
{
    return (struct plan){.ops = ops, .op_count = count, .epoch = RIG_EPOCH};
}

static inline void rig_apply(struct disk *disk, const struct layout *layout, const struct plan *plan)
{
    struct err err = {0};
    cleanup_fs_changes struct fs_changes changes = {0};
    if (fs_apply(disk, layout, plan, NULL, &changes, &err) < 0)
        fail_msg("%s", err.text);
}

static inline void rig_fsck(const char *name)
{
    assert_int_equal(rig_shell("e2fsck -fn \"$1/%s?offset=%d\" >&2", name, RIG_OFFSET), 0);
}

static inline struct sha256 rig_digest(const struct disk *disk)
{
    struct err err = {0};
    struct sha256 sum;
    assert_int_equal(file_sha256(disk->fd, 0, disk->size, NULL, &sum, &err), 0);
    return sum;
}

#endif
