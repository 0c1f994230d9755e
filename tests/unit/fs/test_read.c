/* What the reader says of an image, and that it and the kernel agree on what the two backends wrote. */
#include "fs_rig.h"

static void fill_tree(void)
{
    assert_int_equal(
        rig_shell("mkdir -p $1/tree/etc $1/tree/opt/sub $1/tree/usr; echo old > $1/tree/etc/old; "
                  "ln -sfn /etc $1/tree/conf; ln -sfn nowhere $1/tree/dangling; ln -sfn usr/bin $1/tree/bin; "
                  "ln -f $1/tree/etc/old $1/tree/opt/sub/hard; mkfifo $1/tree/opt/pipe 2>/dev/null; "
                  "touch -d '2001-02-03 04:05:06.123456789' $1/tree/etc $1/tree/opt"),
        0);
}

static const struct plan_xattr xattrs[] = {
    {"user.z", "last", 4}, {"security.selinux", "system_u:object_r:bin_t:s0", 27}, {"user.empty", "", 0}};
enum { OPS = 9 };

static struct plan some_plan(struct plan_op ops[static OPS])
{
    static char far[300];
    memset(far, 'y', sizeof far - 1);
    size_t n = 0;
    ops[n++] = rig_op(PLAN_REMOVE, "/opt/sub", 0);
    ops[n++] = rig_op(PLAN_DIR, "/opt/bin", 02751);
    ops[n - 1].uid = 70000;
    ops[n - 1].gid = 3;
    ops[n++] = rig_op(PLAN_DIR, "/conf", 0700); /* a link to a folder that is there: left alone */
    ops[n++] = rig_file("/opt/bin/tool", 06755, "#!/bin/sh\n", 10);
    ops[n - 1].uid = 12;
    ops[n - 1].gid = 4000000000;
    ops[n - 1].xattrs = xattrs;
    ops[n - 1].xattr_count = 3;
    ops[n++] = rig_link("/opt/bin/fast", "tool");
    ops[n - 1].uid = 7;
    ops[n++] = rig_link("/opt/bin/slow", far);
    ops[n++] = rig_file("/etc/old", 0600, "new\n", 4);
    ops[n++] = rig_file("/dangling", 0644, "", 0);
    ops[n++] = rig_op(PLAN_DIR, "/opt", 01777);
    ops[n - 1].set_meta = true;
    assert_int_equal(n, OPS);
    return rig_plan(ops, n);
}

static void the_reader_says_what_was_written(void **state)
{
    (void)state;
    static const char *const kinds[] = {"-t ext4", "-t ext4 -O inline_data", "-t ext2 -b 1024 -I 128"};
    fill_tree();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct err err = {0};
        struct plan_op ops[OPS];
        struct plan plan = some_plan(ops);
        cleanup_disk struct disk disk = rig_disk("disk", kinds[i], 16);
        struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_EXT);
        rig_apply(&disk, &layout, &plan);
        rig_fsck("disk");
        cleanup_fs_stat struct fs_stat tool = {0}, link = {0}, slow = {0}, opt = {0};
        if (fs_stat(&disk, &layout, RIG_NUMBER, "/opt/bin/tool", &tool, &err) < 0 ||
            fs_stat(&disk, &layout, RIG_NUMBER, "/opt/bin/fast", &link, &err) < 0 ||
            fs_stat(&disk, &layout, RIG_NUMBER, "/opt/bin/slow", &slow, &err) < 0 ||
            fs_stat(&disk, &layout, RIG_NUMBER, "/opt", &opt, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(tool.object, FS_OBJECT_FILE);
        assert_int_equal(tool.mode, 06755);
        assert_int_equal(tool.uid, 12);
        assert_true(tool.gid == 4000000000);
        assert_true(tool.size == 10 && tool.links == 1);
        assert_true(tool.atime == RIG_EPOCH && tool.mtime == RIG_EPOCH && tool.ctime == RIG_EPOCH);
        assert_true(tool.crtime == (i == 2 ? 0 : RIG_EPOCH));
        assert_int_equal(tool.xattr_count, 3);
        assert_string_equal(tool.xattrs[0].name, "security.selinux");
        assert_int_equal(tool.xattrs[0].size, 27);
        assert_memory_equal(tool.xattrs[0].value, xattrs[1].value, 27);
        assert_string_equal(tool.xattrs[1].name, "user.empty");
        assert_int_equal(tool.xattrs[1].size, 0);
        assert_string_equal(link.target, "tool");
        assert_int_equal(link.uid, 7);
        assert_int_equal(strlen(slow.target), 299);
        assert_int_equal(opt.mode, 01777);
        assert_true(opt.object == FS_OBJECT_DIR && opt.mtime == RIG_EPOCH);
        cleanup_fs_list struct fs_list list = {0};
        assert_int_equal(fs_list(&disk, &layout, RIG_NUMBER, "/opt/bin", &list, &err), 0);
        assert_int_equal(list.count, 3);
        assert_string_equal(list.entries[0].name, "fast");
        assert_string_equal(list.entries[2].name, "tool");
        cleanup_buf struct buf text = BUF_INIT(100);
        assert_int_equal(fs_read_file(&disk, &layout, RIG_NUMBER, "/conf/old", 100, &text, &err), 0);
        assert_string_equal(text.data, "new\n");
    }
}

static void old_fractions_of_a_second_do_not_stay(void **state)
{
    (void)state;
    fill_tree();
    struct plan_op ops[] = {rig_file("/etc/x", 0644, "x", 1)};
    const struct plan plan = rig_plan(ops, 1);
    cleanup_disk struct disk disk = rig_disk("disk", "-t ext4", 16);
    struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_EXT);
    rig_shell("debugfs -w -R 'set_inode_field /etc mtime_extra 0x12345678' \"$1/disk?offset=%d\" 2>/dev/null",
              RIG_OFFSET);
    rig_apply(&disk, &layout, &plan);
    rig_fsck("disk");
    assert_int_equal(rig_shell("debugfs -R 'stat /etc' \"$1/disk?offset=%d\" 2>/dev/null | grep -q 'mtime: "
                               "0x5f5e1000:00000000'",
                               RIG_OFFSET),
                     0);
}

static void what_is_not_there_is_said(void **state)
{
    (void)state;
    fill_tree();
    struct err err = {0};
    cleanup_disk struct disk disk = rig_disk("disk", "-t ext4", 16);
    struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_EXT);
    cleanup_buf struct buf text = BUF_INIT(100);
    const struct {
        const char *path, *message;
        enum err_kind kind;
        size_t max;
    } cases[] = {
        {"/etc/none", "ROOT (partition 9): /etc/none: it is not there", ERR_LAYOUT, 10},
        {"/etc", "not a regular file", ERR_LAYOUT, 10},
        {"/etc/old", "are more than the 3 asked for", ERR_SPACE, 3},
        {"/bin/sh", "leads it to /usr", ERR_LAYOUT, 10},
        {"/dangling", "it is not there", ERR_LAYOUT, 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(fs_read_file(&disk, &layout, RIG_NUMBER, cases[i].path, cases[i].max, &text, &err),
                         -1);
        assert_non_null(strstr(err.text, cases[i].message));
        assert_int_equal(err.kind, cases[i].kind);
    }
    assert_int_equal(text.len, 0);
    cleanup_fs_list struct fs_list list = {0};
    assert_int_equal(fs_list(&disk, &layout, RIG_NUMBER, "/etc/old", &list, &err), -1);
    assert_non_null(strstr(err.text, "not a folder"));
    assert_int_equal(fs_list(&disk, &layout, 8, "/", &list, &err), -1);
    assert_non_null(strstr(err.text, "no partition 8"));
}

/* One line an object, everything below PATH. */
static void describe(const struct disk *disk, const struct layout *layout, const char *path, struct buf *out)
{
    struct err err = {0};
    cleanup_fs_stat struct fs_stat stat = {0};
    if (fs_stat(disk, layout, RIG_NUMBER, path, &stat, &err) < 0)
        fail_msg("%s", err.text);
    buf_printf(out, "%s %d %o %u:%u %u", path, (int)stat.object, stat.mode, stat.uid, stat.gid, stat.links);
    /* the kernel stamps folders with the time of day when their entries change, and is told otherwise only for some */
    if (stat.object != FS_OBJECT_DIR)
        buf_printf(out, " %lld", (long long)stat.mtime);
    if (stat.target)
        buf_printf(out, " -> %s", stat.target);
    for (size_t i = 0; i < stat.xattr_count; i++)
        buf_printf(out, " %s=%.*s", stat.xattrs[i].name, (int)stat.xattrs[i].size,
                   (const char *)stat.xattrs[i].value);
    if (stat.object == FS_OBJECT_FILE) {
        cleanup_buf struct buf text = BUF_INIT(1 << 24);
        struct sha256 sum;
        char hex[SHA256_HEX];
        if (fs_read_file(disk, layout, RIG_NUMBER, path, 1 << 24, &text, &err) < 0 ||
            sha256_of(text.data ? text.data : "", text.len, &sum, &err) < 0)
            fail_msg("%s", err.text);
        hex_encode(sum.bytes, SHA256_SIZE, hex);
        buf_printf(out, " %zu %s", text.len, hex);
    }
    buf_str(out, "\n");
    if (stat.object != FS_OBJECT_DIR || strcmp(path, "/usr") == 0)
        return;
    cleanup_fs_list struct fs_list list = {0};
    assert_int_equal(fs_list(disk, layout, RIG_NUMBER, path, &list, &err), 0);
    for (size_t i = 0; i < list.count; i++) {
        char below[PATH_CAP];
        snprintf(below, sizeof below, "%s/%s", strcmp(path, "/") == 0 ? "" : path, list.entries[i].name);
        if (strcmp(below, "/lost+found") != 0 && strcmp(below, "/usr") != 0)
            describe(disk, layout, below, out);
    }
}

static void same_text(const struct buf *a, const struct buf *b)
{
    struct err err = {0};
    char first[200], second[200];
    snprintf(first, sizeof first, "%s/a", rig_dir);
    snprintf(second, sizeof second, "%s/b", rig_dir);
    assert_int_equal(file_put(first, a->data, a->len, 0600, &err), 0);
    assert_int_equal(file_put(second, b->data, b->len, 0600, &err), 0);
    assert_int_equal(rig_shell("diff $1/a $1/b"), 0);
}

static void both_backends_give_the_same_tree(void **state)
{
    (void)state;
    struct err err = {0};
    fill_tree();
    if (geteuid() != 0 || access("/dev/loop-control", R_OK | W_OK) < 0) {
        print_message("skipped: needs root and loop devices\n");
        skip();
    }
    static const char *const kinds[] = {"-t ext4", "-t ext4 -O inline_data", "-t ext3 -b 1024"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct plan_op ops[OPS];
        struct plan plan = some_plan(ops);
        cleanup_disk struct disk ours = rig_disk("ours", kinds[i], 16);
        struct layout layout = rig_layout(&ours, ROLE_ROOT, FS_EXT);
        assert_int_equal(rig_shell("cp --sparse=always $1/ours $1/kernels"), 0);
        cleanup_disk struct disk kernels = rig_open("kernels");
        rig_apply(&ours, &layout, &plan);
        const struct fs_options options = {.backend = FS_BACKEND_LOOP};
        cleanup_fs_changes struct fs_changes changes = {0};
        if (fs_apply_with(&kernels, &layout, &plan, &options, NULL, &changes, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(changes.range_count, 1);
        assert_true(changes.ranges[0].off == RIG_OFFSET && changes.ranges[0].len == 16 * MIB);
        rig_fsck("ours");
        rig_fsck("kernels");
        cleanup_buf struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);
        describe(&ours, &layout, "/", &a);
        describe(&kernels, &layout, "/", &b);
        same_text(&a, &b);
        assert_non_null(strstr(a.data, "/opt/bin/tool 0 6755 12:4000000000 1 1600000000 "
                                       "security.selinux=system_u"));
    }
}

/* A file system that libext2fs does not write. */
static void xfs_goes_through_the_kernel(void **state)
{
    (void)state;
    struct err err = {0};
    if (geteuid() != 0 || access("/dev/loop-control", R_OK | W_OK) < 0 ||
        rig_shell(
            "{ grep -qw xfs /proc/filesystems || modprobe -q xfs; } && command -v mkfs.xfs >/dev/null") !=
            0) {
        print_message("skipped: needs root, loop devices, xfs in the kernel and xfsprogs\n");
        skip();
    }
    assert_int_equal(rig_shell("truncate -s 320M $1/fs && mkfs.xfs -q $1/fs && truncate -s 326M $1/xfs && "
                               "dd if=$1/fs of=$1/xfs bs=1M seek=2 conv=sparse,notrunc status=none"),
                     0);
    cleanup_disk struct disk disk = rig_open("xfs");
    struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_XFS);
    struct plan_op ops[] = {rig_op(PLAN_DIR, "/opt", 0755), rig_file("/opt/tool", 04711, "tool\n", 5),
                            rig_link("/opt/link", "tool")};
    ops[1].uid = 77;
    ops[1].xattrs = xattrs;
    ops[1].xattr_count = 2;
    const struct plan plan = rig_plan(ops, 3);
    const struct fs_options only_ext = {.backend = FS_BACKEND_LIBEXT2FS};
    assert_int_equal(fs_check_with(&disk, &layout, &plan, &only_ext, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_LAYOUT);
    rig_apply(&disk, &layout, &plan);
    cleanup_buf struct buf out = BUF_INIT(10000);
    assert_int_equal(
        rig_output(&out,
                   "unshare -m bash -c 'set -e; mount --make-rprivate /; mount -t xfs -o "
                   "loop,ro,norecovery,offset=%d $1/xfs /mnt; cd /mnt/opt; stat -c \"%%a %%u %%Y %%s\" "
                   "tool; readlink link; getfattr -m- -d tool' sh $1",
                   RIG_OFFSET),
        0);
    assert_non_null(strstr(out.data, "4711 77 1600000000 5\ntool\n"));
    assert_non_null(strstr(out.data, "security.selinux=\"system_u:object_r:bin_t:s0\"\nuser.z=\"last\""));
    struct plan_op folder[] = {rig_op(PLAN_DIR, "/opt/tool", 0755)};
    struct plan_op nowhere[] = {rig_file("/var/x", 0644, "x", 1)};
    struct plan_op much[] = {rig_file("/large", 0644, "", 0)};
    much[0].content.size = UINT64_C(1) << 30;
    const struct {
        struct plan_op *ops;
        enum err_kind kind;
        const char *message;
    } cases[] = {{folder, ERR_LAYOUT, "ROOT (partition 9): /opt/tool: a folder should be here"},
                 {nowhere, ERR_LAYOUT, "/var/x: the folder that it should go into is not there"},
                 {much, ERR_SPACE, "no space: need 10485"}};
    struct sha256 before = rig_digest(&disk);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_fs_changes struct fs_changes changes = {0};
        const struct plan refused = rig_plan(cases[i].ops, 1);
        assert_int_equal(fs_apply(&disk, &layout, &refused, NULL, &changes, &err), -1);
        if (err.kind != cases[i].kind || !strstr(err.text, cases[i].message))
            fail_msg("case %zu: kind %d: %s", i, (int)err.kind, err.text);
    }
    struct sha256 after = rig_digest(&disk);
    assert_true(sha256_equal(&before, &after));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reader_says_what_was_written),
        cmocka_unit_test(old_fractions_of_a_second_do_not_stay),
        cmocka_unit_test(what_is_not_there_is_said),
        cmocka_unit_test(both_backends_give_the_same_tree),
        cmocka_unit_test(xfs_goes_through_the_kernel),
    };
    return cmocka_run_group_tests_name("fs read", tests, rig_set_up, rig_tear_down);
}
