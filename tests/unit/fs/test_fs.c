/* The fs stage on real file systems made by mke2fs, checked by e2fsck and debugfs. */
#include "fs_rig.h"
#include "text/hex.h"

enum { BIG = 5 * MIB + 123 };

static unsigned char *big;

static int set_up(void **state)
{
    big = malloc(BIG);
    for (size_t i = 0; big && i < BIG; i++)
        big[i] = (unsigned char)(i * 2654435761u >> 13);
    return big ? rig_set_up(state) : -1;
}

static int tear_down(void **state)
{
    free(big);
    return rig_tear_down(state);
}

/* $1/NAME: a file of 66 MiB with a file system of 60 MiB, made with FEATURES, 2 MiB into it. */
static struct disk make_disk(const char *name, const char *features)
{
    struct err err = {0};
    struct disk disk = DISK_EMPTY;
    int status = rig_shell(
        "rm -f $1/%s; mkdir -p $1/tree/etc $1/tree/opt/sub/deep $1/tree/home; echo old > $1/tree/etc/old; "
        "echo gone > $1/tree/opt/sub/deep/f; ln -sfn usr/bin $1/tree/bin; ln -sfn /etc $1/tree/conf; "
        "ln -sfn ../../../../../../../.. $1/tree/opt/up; ln -sfn b $1/tree/opt/a; ln -sfn a $1/tree/opt/b; "
        "truncate -s 66M $1/%s && mke2fs -q -F %s -E offset=%d,root_owner=0:0 -d $1/tree $1/%s 60M",
        name, name, features, RIG_OFFSET, name);
    assert_int_equal(status, 0);
    char path[200];
    snprintf(path, sizeof path, "%s/%s", rig_dir, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(disk_from_fd(fd, &disk, &err), 0);
    return disk;
}

static struct layout make_layout(enum fs_type fs)
{
    return (struct layout){.partition_count = 1,
                           .disk_size = 66 * MIB,
                           .partitions = {{.number = 9,
                                           .start = RIG_OFFSET,
                                           .size = 60 * MIB,
                                           .label = "ROOT",
                                           .role = ROLE_ROOT,
                                           .fs = fs}}};
}

enum { RICH_OPS = 14, RICH_MANY = 300 };

/* A plan with one of everything, and a folder with many names. */
static struct plan rich_plan(struct plan_op ops[static RICH_OPS + RICH_MANY],
                             char names[static RICH_MANY][64])
{
    static const struct plan_xattr xattrs[] = {
        {"security.capability", "\1\0\0\2\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20},
        {"user.note", "hi", 2},
        {"security.selinux", "system_u:object_r:bin_t:s0", 27}};
    static char long_target[200];
    memset(long_target, 'x', sizeof long_target - 1);
    size_t n = 0;
    ops[n++] = rig_op(PLAN_REMOVE, "/opt/sub", 0);
    ops[n++] = rig_op(PLAN_DIR, "/opt", 0755);
    ops[n++] = rig_op(PLAN_DIR, "/opt/bin", 0751);
    ops[n - 1].uid = 70000;
    ops[n - 1].gid = 3;
    ops[n - 1].set_meta = true;
    ops[n++] = rig_file("/opt/bin/big", 04755, big, BIG);
    ops[n - 1].xattrs = xattrs;
    ops[n - 1].xattr_count = 3;
    ops[n++] = rig_file("/opt/bin/empty", 0600, "", 0);
    ops[n++] = rig_file("/opt/bin/small", 0640, "small\n", 6);
    ops[n - 1].uid = 500;
    ops[n - 1].gid = 100000;
    ops[n++] = rig_file("/opt/bin/block", 0644, big, 4096);
    ops[n++] = rig_link("/opt/bin/fast", "small");
    ops[n++] = rig_link("/opt/bin/slow", long_target);
    ops[n++] = rig_file("/etc/old", 0644, "new content\n", 12);
    ops[n++] = rig_file("/conf/through-a-link", 0644, "x", 1);
    ops[n++] = rig_link("/home/link", "/etc/old");
    ops[n++] = rig_op(PLAN_DIR, "/many", 0755);
    ops[n++] = rig_file("/conf/old2", 0644, "2", 1);
    assert_int_equal(n, RICH_OPS);
    for (size_t i = 0; i < RICH_MANY; i++) {
        snprintf(names[i], 64, "/many/a-rather-long-name-of-a-file-number-%04zu", i);
        ops[n++] = rig_file(names[i], 0644, names[i], 10);
    }
    return (struct plan){.ops = ops, .op_count = n, .epoch = 1600000000};
}

static void apply_ok(struct disk *disk, const struct layout *layout, const struct plan *plan)
{
    struct err err = {0};
    cleanup_fs_changes struct fs_changes changes = {0};
    if (fs_apply(disk, layout, plan, NULL, &changes, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(changes.ranges.count > 0 && changes.bytes_changed >= BIG && changes.bytes_changed < 12 * MIB);
    for (size_t i = 0; i < changes.ranges.count; i++)
        assert_true(changes.ranges.items[i].off >= RIG_OFFSET &&
                    changes.ranges.items[i].end <= RIG_OFFSET + 60 * MIB);
}

static const char *const feature_sets[] = {
    "-t ext4",
    "-t ext4 -O ^has_journal",
    "-t ext4 -b 1024",
    "-t ext4 -b 2048 -O ^metadata_csum,^64bit",
    "-t ext4 -O inline_data",
    "-t ext4 -O metadata_csum_seed,large_dir",
    "-t ext4 -I 128",
    "-t ext4 -O ^extent,^64bit,^flex_bg,uninit_bg,^metadata_csum",
    "-t ext3",
    "-t ext2 -b 1024",
};

static void every_kind_of_ext_is_written_clean(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof feature_sets / sizeof *feature_sets; i++) {
        struct plan_op ops[RICH_OPS + RICH_MANY];
        char names[RICH_MANY][64];
        struct plan plan = rich_plan(ops, names);
        struct layout layout = make_layout(FS_EXT);
        cleanup_disk struct disk disk = make_disk("disk", feature_sets[i]);
        apply_ok(&disk, &layout, &plan);
        rig_fsck("disk");
        cleanup_buf struct buf out = BUF_INIT(1 << 20);
        assert_int_equal(
            rig_output(
                &out,
                "d() { debugfs -R \"$1\" \"$IMG\" 2>/dev/null; }; IMG=\"$1/disk?offset=%d\"; "
                "d 'dump /opt/bin/big '$1/big; sha256sum < $1/big | cut -c1-64; d 'cat /etc/old'; "
                "d 'cat /etc/through-a-link'; echo; d 'stat /opt/bin/big' | grep -oE 'Mode: *[0-9]+'; "
                "d 'stat /opt/bin' | grep -oE 'User: *[0-9]+ *Group: *[0-9]+'; "
                "d 'stat /opt/sub' | grep -c Inode; d 'stat /opt/bin/big' | grep -oE 'mtime: 0x[0-9a-f]+'; "
                "d 'ls -l /many' | grep -c rather; d 'ea_get /opt/bin/big user.note'; "
                "d 'stat /opt/bin/fast' | grep -oE 'Fast link dest: .*'; true",
                RIG_OFFSET),
            0);
        struct sha256 sum;
        struct err err = {0};
        char want[2000], hex[SHA256_HEX];
        assert_int_equal(sha256_of(big, BIG, &sum, &err), 0);
        hex_encode(sum.bytes, SHA256_SIZE, hex);
        snprintf(want, sizeof want,
                 "%s\nnew content\nx\nMode:  04755\nUser: 70000   Group:     3\n0\nmtime: "
                 "0x5f5e1000\n300\nuser.note (2) = \"hi\"\n\n"
                 "Fast link dest: \"small\"\n",
                 hex);
        assert_string_equal(out.data, want);
    }
}

static void the_same_plan_gives_the_same_bytes(void **state)
{
    (void)state;
    struct plan_op ops[RICH_OPS + RICH_MANY];
    char names[RICH_MANY][64];
    struct plan plan = rich_plan(ops, names);
    struct layout layout = make_layout(FS_EXT);
    cleanup_disk struct disk first = make_disk("first", "-t ext4");
    assert_int_equal(rig_shell("cp --sparse=always $1/first $1/second; touch -d 2001-01-01 $1/second"), 0);
    char path[200];
    snprintf(path, sizeof path, "%s/second", rig_dir);
    struct err err = {0};
    cleanup_disk struct disk second = DISK_EMPTY;
    assert_int_equal(disk_from_fd(open(path, O_RDWR | O_CLOEXEC), &second, &err), 0);
    apply_ok(&first, &layout, &plan);
    sleep(2); /* ext4's times have a resolution of seconds */
    apply_ok(&second, &layout, &plan);
    struct sha256 a = rig_digest(&first), b = rig_digest(&second);
    assert_true(sha256_equal(&a, &b));
}

static void content_comes_from_files_too(void **state)
{
    (void)state;
    struct err err = {0};
    struct layout layout = make_layout(FS_EXT);
    cleanup_disk struct disk disk = make_disk("disk", "-t ext4");
    cleanup_close int fd = -1;
    assert_int_equal(file_scratch(rig_dir, &fd, &err), 0);
    assert_int_equal(file_pwrite(fd, big, BIG, 777, "payload", &err), 0);
    struct plan_op ops[] = {rig_file("/etc/big", 0644, big, BIG)};
    ops[0].content.memory = NULL;
    ops[0].content.fd = fd;
    ops[0].content.off = 777;
    const struct plan plan = {.ops = ops, .op_count = 1, .epoch = 1600000000};
    apply_ok(&disk, &layout, &plan);
    rig_fsck("disk");
    /* a file that changed since it was planned is detected */
    assert_int_equal(file_pwrite(fd, "!", 1, 5000, "payload", &err), 0);
    cleanup_fs_changes struct fs_changes changes = {0};
    assert_int_equal(fs_apply(&disk, &layout, &plan, NULL, &changes, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
    assert_non_null(strstr(err.text, "/etc/big: its content changed"));
}

static void what_cannot_be_done_is_said_before_anything_is_written(void **state)
{
    (void)state;
    const struct {
        const char *prepare; /* for debugfs -w */
        struct plan_op op;
        enum err_kind kind;
        const char *message;
    } cases[] = {
        {"", rig_op(PLAN_REMOVE, "/etc/nothing", 0), ERR_LAYOUT, "it does not exist"},
        {"", rig_op(PLAN_REMOVE, "/", 0), ERR_LAYOUT, "top of a file system"},
        {"", rig_file("/etc", 0644, "x", 1), ERR_LAYOUT, "it exists and is a folder"},
        {"", rig_op(PLAN_DIR, "/etc/old", 0755), ERR_LAYOUT, "is not a folder"},
        {"", rig_file("/etc/old/x", 0644, "x", 1), ERR_LAYOUT, "not a folder"},
        {"", rig_file("/nowhere/x", 0644, "x", 1), ERR_LAYOUT, "parent folder does not exist"},
        {"", rig_file("/bin/x", 0644, "x", 1), ERR_LAYOUT, "leads to /usr"},
        {"", rig_op(PLAN_DIR, "/bin", 0755), ERR_LAYOUT, "leads to /usr"},
        {"", rig_file("/opt/a/x", 0644, "x", 1), ERR_LAYOUT, "loop"},
        {"", rig_file("/opt/up/run/x", 0644, "x", 1), ERR_LAYOUT, "leads to /run"},
        {"set_super_value state 2", rig_file("/etc/x", 0644, "x", 1), ERR_LAYOUT, "having errors"},
        {"set_super_value state 0", rig_file("/etc/x", 0644, "x", 1), ERR_LAYOUT, "not unmounted cleanly"},
        {"feature needs_recovery", rig_file("/etc/x", 0644, "x", 1), ERR_LAYOUT, "journal"},
        {"feature quota", rig_file("/etc/x", 0644, "x", 1), ERR_LAYOUT, "quota"},
        {"feature encrypt", rig_file("/etc/x", 0644, "x", 1), ERR_LAYOUT, "encrypted"},
        {"feature verity", rig_file("/etc/x", 0644, "x", 1), ERR_LAYOUT, "verity"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        struct layout layout = make_layout(FS_EXT);
        cleanup_disk struct disk disk = make_disk("disk", "-t ext4");
        if (*cases[i].prepare)
            rig_shell("debugfs -w -R '%s' \"$1/disk?offset=%d\" 2>/dev/null", cases[i].prepare, RIG_OFFSET);
        struct sha256 before = rig_digest(&disk);
        struct plan_op ops[] = {cases[i].op};
        const struct plan plan = {.ops = ops, .op_count = 1, .epoch = 1600000000};
        cleanup_fs_changes struct fs_changes changes = {0};
        assert_int_equal(fs_apply(&disk, &layout, &plan, NULL, &changes, &err), -1);
        if (err.kind != cases[i].kind || !strstr(err.text, cases[i].message))
            fail_msg("case %zu: kind %d \"%s\", not \"%s\"", i, err.kind, err.text, cases[i].message);
        struct sha256 after = rig_digest(&disk);
        assert_true(sha256_equal(&before, &after));
    }
}

static void a_plan_that_does_not_fit_says_by_how_much(void **state)
{
    (void)state;
    struct err err = {0};
    struct layout layout = make_layout(FS_EXT);
    cleanup_disk struct disk disk = make_disk("disk", "-t ext4");
    struct plan_op ops[20];
    char names[20][32];
    for (size_t i = 0; i < 20; i++) {
        snprintf(names[i], sizeof names[i], "/etc/big%zu", i);
        ops[i] = rig_file(names[i], 0644, big, BIG);
    }
    const struct plan plan = {.ops = ops, .op_count = 20, .epoch = 1600000000};
    struct sha256 before = rig_digest(&disk);
    cleanup_fs_changes struct fs_changes changes = {0};
    assert_int_equal(fs_apply(&disk, &layout, &plan, NULL, &changes, &err), -1);
    assert_int_equal(err.kind, ERR_SPACE);
    assert_non_null(strstr(err.text, "ROOT (partition 9): /etc/big19: no space: need 100 MiB, free "));
    struct sha256 after = rig_digest(&disk);
    assert_true(sha256_equal(&before, &after));
}

/* A disk whose write number N fails. */
struct failing {
    struct disk disk;
    const struct disk_ops *real;
    struct disk_ops ops;
    long left;
};

static int failing_write(struct disk *disk, const void *bytes, size_t len, uint64_t off, struct err *err)
{
    struct failing *failing = (struct failing *)disk;
    if (failing->left-- == 0)
        return err_set(err, ERR_IO, EIO, "write the disk image");
    return failing->real->write(disk, bytes, len, off, err);
}

static void every_failing_write_is_reported(void **state)
{
    (void)state;
    struct layout layout = make_layout(FS_EXT);
    struct plan_op ops[] = {rig_op(PLAN_REMOVE, "/opt/sub", 0), rig_op(PLAN_DIR, "/opt/bin", 0755),
                            rig_file("/opt/bin/f", 0644, big, 70000), rig_link("/opt/bin/l", "f"),
                            rig_file("/etc/old", 0644, "x", 1)};
    const struct plan plan = {.ops = ops, .op_count = 5, .epoch = 1600000000};
    cleanup_disk struct disk made = make_disk("disk", "-t ext4");
    unsigned char *image = malloc((size_t)made.size);
    struct err err = {0};
    assert_int_equal(disk_read(&made, image, (size_t)made.size, 0, &err), 0);
    long writes = 0;
    for (long n = 0;; n++) {
        struct failing failing = {.left = n};
        assert_int_equal(disk_in_memory(made.size, &failing.disk, &err), 0);
        memcpy(failing.disk.memory, image, (size_t)made.size);
        memset(failing.disk.memory, 0xa5, RIG_OFFSET);
        memset(failing.disk.memory + RIG_OFFSET + 60 * MIB, 0xa5, 4 * MIB);
        failing.real = failing.disk.ops;
        failing.ops = *failing.real;
        failing.ops.write = failing_write;
        failing.disk.ops = &failing.ops;
        cleanup_fs_changes struct fs_changes changes = {0};
        int r = fs_apply(&failing.disk, &layout, &plan, NULL, &changes, &err);
        for (size_t i = 0; i < RIG_OFFSET; i += 512)
            assert_int_equal(failing.disk.memory[i], 0xa5);
        for (size_t i = RIG_OFFSET + 60 * MIB; i < (size_t)made.size; i += 512)
            assert_int_equal(failing.disk.memory[i], 0xa5);
        disk_close(&failing.disk);
        if (r == 0) {
            writes = n;
            assert_true(failing.left >= 0);
            break;
        }
        if (err.kind != ERR_IO && err.kind != ERR_LAYOUT)
            fail_msg("write %ld: kind %d: %s", n, err.kind, err.text);
    }
    free(image);
    assert_true(writes > 20);
    print_message("%ld writes, each failed once\n", writes);
}

static void growing_fills_the_partition(void **state)
{
    (void)state;
    struct err err = {0};
    struct sha256 sums[2];
    for (int i = 0; i < 2; i++) {
        cleanup_disk struct disk disk =
            make_disk("disk", "-t ext4 -U 00000000-0000-0000-0000-000000000001 -E "
                              "hash_seed=00000000-0000-0000-0000-000000000002");
        struct layout layout = make_layout(FS_EXT);
        if (i == 0)
            assert_int_equal(rig_shell("cp --sparse=always $1/disk $1/pristine"), 0);
        else
            assert_int_equal(rig_shell("cp --sparse=always $1/pristine $1/disk2 && cat $1/disk2 > $1/disk"),
                             0);
        assert_int_equal(disk_grow(&disk, 300 * MIB, &err), 0);
        layout.partitions[0].size = 290 * MIB;
        if (fs_grow(&disk, &layout.partitions[0], rig_dir, 1600000000, NULL, &err) < 0)
            fail_msg("%s", err.text);
        rig_fsck("disk");
        assert_int_equal(
            rig_shell("debugfs -R 'show_super_stats -h' \"$1/disk?offset=%d\" 2>/dev/null | grep "
                      "-qE '^Block count: *296960$'",
                      RIG_OFFSET),
            0);
        sums[i] = rig_digest(&disk);
        sleep(1);
    }
    assert_true(sha256_equal(&sums[0], &sums[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_ext_is_written_clean),
        cmocka_unit_test(the_same_plan_gives_the_same_bytes),
        cmocka_unit_test(content_comes_from_files_too),
        cmocka_unit_test(what_cannot_be_done_is_said_before_anything_is_written),
        cmocka_unit_test(a_plan_that_does_not_fit_says_by_how_much),
        cmocka_unit_test(every_failing_write_is_reported),
        cmocka_unit_test(growing_fills_the_partition),
    };
    return cmocka_run_group_tests_name("fs", tests, set_up, tear_down);
}
