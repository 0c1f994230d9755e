/* Reading images through libext2fs, and that it and the kernel agree on what bake wrote. */
#include "tests/unit/fs/fs_rig.h"

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
    ops[n++] = rig_op(PLAN_DIR, "/conf", 0700); /* a link to an existing folder: left alone */
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
        {"/bin/sh", "leads to /usr", ERR_LAYOUT, 10},
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

/* Flatcar's OEM is btrfs, Fedora's root XFS: neither can be written, even as root, and the message names
 * the alternative. */
static void other_file_systems_are_refused(void **state)
{
    (void)state;
    struct err err = {0};
    static const struct {
        enum partition_role role;
        enum fs_type fs;
        const char *path, *says;
    } cases[] = {
        {ROLE_OEM, FS_BTRFS, "/config.ign", "the partition holds btrfs, and bake writes only ext4"},
        {ROLE_OEM, FS_BTRFS, "/grub.cfg", "user-data instead of a file in /oem"},
        {ROLE_ROOT, FS_XFS, "/opt/tool", "the partition holds xfs, and bake writes only ext4"},
        {ROLE_ESP, FS_VFAT, "/x", "the partition holds vfat, and bake writes only ext4"},
        {ROLE_OEM, FS_NONE, "/x", "the partition holds none, and bake writes only ext4"},
    };
    cleanup_disk struct disk disk = rig_disk("other", "-t ext4", 16);
    struct sha256 before = rig_digest(&disk);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct layout layout = rig_layout(&disk, cases[i].role, cases[i].fs);
        struct plan_op ops[] = {rig_file(cases[i].path, 0644, "x", 1)};
        const struct plan plan = rig_plan(ops, 1);
        cleanup_fs_changes struct fs_changes changes = {0};
        assert_int_equal(fs_check(&disk, &layout, &plan, NULL, &err), -1);
        assert_int_equal(fs_apply(&disk, &layout, &plan, NULL, &changes, &err), -1);
        assert_int_equal(err.kind, ERR_LAYOUT);
        if (!strstr(err.text, cases[i].says) || !strstr(err.text, cases[i].path))
            fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].says);
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
        cmocka_unit_test(other_file_systems_are_refused),
    };
    return cmocka_run_group_tests_name("fs read", tests, rig_set_up, rig_tear_down);
}
