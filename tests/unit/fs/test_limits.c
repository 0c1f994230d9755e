/* Limits: full file systems, indexed folders, times, links, and uninitialized memory. */
#include <malloc.h>

#include "fs_rig.h"

static int try_plan(struct disk *disk, const struct layout *layout, struct plan_op *ops, size_t count,
                    struct err *err)
{
    const struct plan plan = rig_plan(ops, count);
    cleanup_fs_changes struct fs_changes changes = {0};
    return fs_apply(disk, layout, &plan, NULL, &changes, err);
}

static void refused(struct disk *disk, const struct layout *layout, struct plan_op op, const char *message)
{
    struct err err = {0};
    struct sha256 before = rig_digest(disk);
    if (try_plan(disk, layout, &op, 1, &err) == 0)
        fail_msg("%s was not refused", op.path);
    if (!strstr(err.text, message))
        fail_msg("%s: \"%s\", not \"%s\"", op.path, err.text, message);
    struct sha256 after = rig_digest(disk);
    assert_true(sha256_equal(&before, &after));
}

/* The largest file that passes the check is written whole, and one block more is refused. */
static void the_check_is_exact(void **state)
{
    (void)state;
    static const char *const kinds[] = {"-t ext4 -m 0", "-t ext4 -b 1024 -m 5", "-t ext2 -b 1024 -m 0",
                                        "-t ext4 -b 2048 -O ^extent,^64bit,^has_journal -m 1"};
    enum { LARGE = 20 * MIB };
    rig_shell("rm -rf $1/tree");
    unsigned char *bytes = calloc(1, LARGE);
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        cleanup_disk struct disk disk = rig_disk("disk", kinds[i], 16);
        struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_EXT);
        size_t fits = 0, over = LARGE / 1024;
        while (over - fits > 1) {
            struct err err = {0};
            size_t half = (fits + over) / 2;
            struct plan_op ops[] = {rig_file("/large", 0644, bytes, half * 1024)};
            const struct plan plan = rig_plan(ops, 1);
            if (fs_check(&disk, &layout, &plan, NULL, &err) == 0) {
                fits = half;
            } else {
                assert_int_equal(err.kind, ERR_SPACE);
                assert_non_null(strstr(err.text, "ROOT (partition 9): /large: no space: need "));
                over = half;
            }
        }
        assert_true(fits > 10000 && fits < 16384);
        struct plan_op last[] = {rig_file("/large", 0644, bytes, fits * 1024)};
        refused(&disk, &layout, rig_file("/large", 0644, bytes, over * 1024), "no space");
        const struct plan plan = rig_plan(last, 1);
        rig_apply(&disk, &layout, &plan);
        rig_fsck("disk");
    }
    free(bytes);
}

/* Removals come first and free space. */
static void what_is_removed_makes_room(void **state)
{
    (void)state;
    assert_int_equal(
        rig_shell("rm -rf $1/tree; mkdir -p $1/tree/old; yes | head -c 9000000 > $1/tree/old/big"), 0);
    unsigned char *bytes = calloc(1, 9000000);
    cleanup_disk struct disk disk = rig_disk("disk", "-t ext4 -O ^has_journal", 16);
    struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_EXT);
    struct plan_op ops[] = {rig_op(PLAN_REMOVE, "/old", 0), rig_file("/new", 0644, bytes, 9000000)};
    refused(&disk, &layout, ops[1], "no space: need 8.6 MiB, free ");
    const struct plan plan = rig_plan(ops, 2);
    rig_apply(&disk, &layout, &plan);
    rig_fsck("disk");
    free(bytes);
}

static void inodes_run_out_before_anything_is_written(void **state)
{
    (void)state;
    struct err err = {0};
    rig_shell("rm -rf $1/tree");
    cleanup_disk struct disk disk = rig_disk("disk", "-t ext4 -N 32", 16);
    struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_EXT);
    struct plan_op ops[40];
    char names[40][16];
    for (size_t i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "/f%02zu", i);
        ops[i] = rig_file(names[i], 0644, "x", 1);
    }
    struct sha256 before = rig_digest(&disk);
    assert_int_equal(try_plan(&disk, &layout, ops, 40, &err), -1);
    assert_int_equal(err.kind, ERR_SPACE);
    assert_non_null(strstr(err.text, "not enough inodes: up to 40 files, folders and links are needed, "));
    struct sha256 after = rig_digest(&disk);
    assert_true(sha256_equal(&before, &after));
}

/* Indexed folders: names are added through the index, which splits when it must. */
static void indexed_folders_stay_indexed(void **state)
{
    (void)state;
    enum { MANY = 1200 };
    static const char *const kinds[] = {"-t ext4 -b 1024 -N 12000", "-t ext4 -b 4096 -N 12000",
                                        "-t ext4 -b 1024 -O ^metadata_csum,large_dir -N 12000"};
    assert_int_equal(rig_shell("rm -rf $1/tree; mkdir -p $1/tree/d; cd $1/tree/d; for i in {1..2500}; do "
                               ": > an-old-name-of-middling-length-$i; done"),
                     0);
    struct plan_op *ops = calloc(MANY, sizeof *ops);
    char(*names)[128] = calloc(MANY, sizeof *names);
    assert_true(ops && names);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "/d/a-new-name-that-is-somewhat-longer-than-the-old-ones-%zu", i);
        ops[i] = i % 100 == 0 ? rig_op(PLAN_DIR, names[i], 0755) : rig_link(names[i], "x");
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct err err = {0};
        cleanup_disk struct disk disk = rig_disk("disk", kinds[i], 48);
        struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_EXT);
        rig_output(NULL, "e2fsck -fyD \"$1/disk?offset=%d\" >/dev/null 2>&1 || true", RIG_OFFSET);
        if (try_plan(&disk, &layout, ops, MANY, &err) < 0)
            fail_msg("%s", err.text);
        rig_fsck("disk");
        assert_int_equal(rig_shell("debugfs -R 'htree_dump /d' \"$1/disk?offset=%d\" 2>/dev/null | grep -q "
                                   "'Root node'",
                                   RIG_OFFSET),
                         0);
        cleanup_fs_list struct fs_list list = {0};
        assert_int_equal(fs_list(&disk, &layout, RIG_NUMBER, "/d", &list, &err), 0);
        assert_int_equal(list.count, 2500 + MANY);
        /* and everything in it can be removed again */
        struct plan_op gone[] = {rig_op(PLAN_REMOVE, "/d", 0)};
        if (try_plan(&disk, &layout, gone, 1, &err) < 0)
            fail_msg("%s", err.text);
        rig_fsck("disk");
    }
    free(ops);
    free(names);
}

static void times_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    rig_shell("rm -rf $1/tree");
    const struct {
        const char *kind;
        int64_t epoch;
        bool ok;
    } cases[] = {{"-t ext4", 0, true},
                 {"-t ext4", 4102444800, true},
                 {"-t ext4", INT64_C(0x37fffffff), true},
                 {"-t ext4", INT64_C(0x380000000), false},
                 {"-t ext4", -1, false},
                 {"-t ext2 -I 128", 2147483647, true},
                 {"-t ext2 -I 128", 2147483648, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        cleanup_disk struct disk disk = rig_disk("disk", cases[i].kind, 16);
        struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_EXT);
        struct plan_op ops[] = {rig_file("/x", 0644, "x", 1)};
        struct plan plan = rig_plan(ops, 1);
        plan.epoch = cases[i].epoch;
        cleanup_fs_changes struct fs_changes changes = {0};
        int r = fs_apply(&disk, &layout, &plan, NULL, &changes, &err);
        assert_int_equal(r, cases[i].ok ? 0 : -1);
        if (!cases[i].ok) {
            assert_non_null(strstr(err.text, "its inodes cannot store the time"));
            continue;
        }
        cleanup_fs_stat struct fs_stat stat = {0};
        assert_int_equal(fs_stat(&disk, &layout, RIG_NUMBER, "/x", &stat, &err), 0);
        assert_true(stat.mtime == (cases[i].epoch > 0 ? cases[i].epoch : 1));
        rig_fsck("disk");
    }
}

static void links_and_what_must_stay(void **state)
{
    (void)state;
    assert_int_equal(rig_shell("rm -rf $1/tree; mkdir -p $1/tree/etc; ln -s /etc $1/tree/abs; ln -s ../.. "
                               "$1/tree/etc/out; ln -s etc $1/tree/rel; ln -s nowhere $1/tree/dangling"),
                     0);
    cleanup_disk struct disk disk = rig_disk("disk", "-t ext4", 16);
    struct layout root = rig_layout(&disk, ROLE_ROOT, FS_EXT), oem = rig_layout(&disk, ROLE_OEM, FS_EXT);
    refused(&disk, &oem, rig_file("/abs/x", 0644, "x", 1), "leads to another partition");
    refused(&disk, &oem, rig_file("/etc/out/x", 0644, "x", 1), "leads to another partition");
    refused(&disk, &root, rig_op(PLAN_DIR, "/dangling", 0755), "a link that does not lead to a folder");
    refused(&disk, &root, rig_file("/dangling/x", 0644, "x", 1), "parent folder does not exist");
    refused(&disk, &root, rig_op(PLAN_REMOVE, "/lost+found", 0), "needs its lost+found");
    char target[5000];
    memset(target, 't', sizeof target - 1);
    target[sizeof target - 1] = '\0';
    refused(&disk, &root, rig_link("/long", target), "longer than a block");
    static const unsigned char large[5000];
    const struct plan_xattr xattr = {"user.large", large, sizeof large};
    struct plan_op op = rig_file("/x", 0644, "x", 1);
    op.xattrs = &xattr;
    op.xattr_count = 1;
    refused(&disk, &root, op, "/x: ");
    struct plan_op fine[] = {rig_file("/rel/a", 0644, "a", 1), rig_file("/etc/out/b", 0644, "b", 1),
                             rig_file("/abs/c", 0644, "c", 1), rig_link("/rel", "etc2")};
    struct err err = {0};
    if (try_plan(&disk, &root, fine, 4, &err) < 0)
        fail_msg("%s", err.text);
    rig_fsck("disk");
    cleanup_fs_list struct fs_list etc = {0};
    assert_int_equal(fs_list(&disk, &root, RIG_NUMBER, "/etc", &etc, &err), 0);
    assert_int_equal(etc.count, 3); /* a, c, out */
    cleanup_fs_stat struct fs_stat rel = {0}, b = {0};
    assert_int_equal(fs_stat(&disk, &root, RIG_NUMBER, "/rel", &rel, &err), 0);
    assert_string_equal(rel.target, "etc2");
    assert_int_equal(fs_stat(&disk, &root, RIG_NUMBER, "/b", &b, &err), 0);
}

/* More folders than a link count can hold, on a file system without dir_nlink. */
static void too_many_folders_are_refused(void **state)
{
    (void)state;
    rig_shell("rm -rf $1/tree; mkdir -p $1/tree/many");
    cleanup_disk struct disk disk = rig_disk("disk", "-t ext2", 16);
    struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_EXT);
    rig_shell("debugfs -w -R 'set_inode_field /many links_count 65000' \"$1/disk?offset=%d\" 2>/dev/null",
              RIG_OFFSET);
    refused(&disk, &layout, rig_op(PLAN_DIR, "/many/one", 0755), "/many/one: Too many links");
}

/* malloc() returns memory with old content here; none of it may reach the disk. */
static void memory_does_not_show(void **state)
{
    (void)state;
    static const char *const kinds[] = {"-t ext4", "-t ext4 -O inline_data", "-t ext3 -b 1024"};
    static char target[120];
    memset(target, 'l', sizeof target - 1);
    const struct plan_xattr xattrs[] = {{"user.a", "1", 1}, {"security.selinux", "label", 6}};
    rig_shell("rm -rf $1/tree");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct sha256 sums[2];
        struct disk pristine = rig_disk("pristine", kinds[i], 16);
        disk_close(&pristine);
        for (int turn = 0; turn < 2; turn++) {
            assert_int_equal(rig_shell("cp --sparse=always $1/pristine $1/disk"), 0);
            cleanup_disk struct disk disk = rig_open("disk");
            struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_EXT);
            struct plan_op ops[] = {rig_op(PLAN_DIR, "/d", 0755), rig_file("/d/f", 0644, "some", 4),
                                    rig_link("/d/l", target), rig_link("/d/s", "short"),
                                    rig_op(PLAN_REMOVE, "/d/s", 0)};
            ops[1].xattrs = ops[0].xattrs = xattrs;
            ops[1].xattr_count = ops[0].xattr_count = 2;
            const struct plan plan = rig_plan(ops, 5);
            mallopt(M_PERTURB, turn == 0 ? 0x5a : 0xc3);
            rig_apply(&disk, &layout, &plan);
            mallopt(M_PERTURB, 0);
            rig_fsck("disk");
            sums[turn] = rig_digest(&disk);
        }
        assert_true(sha256_equal(&sums[0], &sums[1]));
    }
}

/* Mixed operations on two partitions: each gets its own, and the bytes between them stay. */
static void each_partition_gets_its_own(void **state)
{
    (void)state;
    struct err err = {0};
    rig_shell("rm -rf $1/tree");
    cleanup_disk struct disk disk = rig_disk("disk", "-t ext4", 16);
    assert_int_equal(
        rig_shell("truncate -s 40M $1/disk && mke2fs -q -F -t ext4 -E offset=%d $1/disk 12M", 24 * MIB), 0);
    disk_close(&disk);
    disk = rig_open("disk");
    struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_EXT);
    layout.partitions[0].size = 16 * MIB;
    layout.partitions[1] = (struct partition){
        .number = 6, .start = 24 * MIB, .size = 12 * MIB, .label = "OEM", .role = ROLE_OEM, .fs = FS_EXT};
    layout.partition_count = 2;
    struct plan_op ops[] = {rig_file("/a", 0644, "oem", 3), rig_file("/a", 0644, "root", 4),
                            rig_file("/b", 0644, "oem2", 4)};
    ops[0].partition = ops[2].partition = 6;
    const struct plan plan = rig_plan(ops, 3);
    cleanup_fs_changes struct fs_changes changes = {0};
    if (fs_apply(&disk, &layout, &plan, NULL, &changes, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(changes.files, 3);
    uint64_t sum = 0, end = 0;
    for (size_t i = 0; i < changes.ranges.count; i++) {
        const struct range *range = &changes.ranges.items[i];
        assert_true(i == 0 || range->off > end); /* sorted, merged */
        end = range->end;
        sum += range->end - range->off;
        assert_true((range->off >= 2 * MIB && end <= 18 * MIB) ||
                    (range->off >= 24 * MIB && end <= 36 * MIB));
    }
    assert_true(sum == changes.bytes_changed);
    cleanup_buf struct buf text = BUF_INIT(10);
    assert_int_equal(fs_read_file(&disk, &layout, 6, "/a", 10, &text, &err), 0);
    assert_int_equal(fs_read_file(&disk, &layout, RIG_NUMBER, "/a", 10, &text, &err), 0);
    assert_string_equal(text.data, "oemroot");
    rig_fsck("disk");
    assert_int_equal(rig_shell("e2fsck -fn \"$1/disk?offset=%d\" >&2", 24 * MIB), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_check_is_exact),
        cmocka_unit_test(what_is_removed_makes_room),
        cmocka_unit_test(inodes_run_out_before_anything_is_written),
        cmocka_unit_test(indexed_folders_stay_indexed),
        cmocka_unit_test(times_that_do_not_fit_are_refused),
        cmocka_unit_test(links_and_what_must_stay),
        cmocka_unit_test(too_many_folders_are_refused),
        cmocka_unit_test(memory_does_not_show),
        cmocka_unit_test(each_partition_gets_its_own),
    };
    return cmocka_run_group_tests_name("fs limits", tests, rig_set_up, rig_tear_down);
}
