/* e2fsck: sound file systems pass, on disks in files and on views, and damage of each kind is found and
 * reported. */
#include "fs_rig.h"

static void fill_tree(void)
{
    assert_int_equal(
        rig_shell("rm -rf $1/tree; mkdir -p $1/tree/etc $1/tree/opt/sub; echo old >$1/tree/etc/old; ln "
                  "$1/tree/etc/old "
                  "$1/tree/etc/twin; seq 1 200000 >$1/tree/opt/seq; ln -s /$(printf 'a%%.0s' {1..200}) "
                  "$1/tree/opt/long; "
                  "cd $1/tree/opt/sub; for i in {1..400}; do : >a-name-of-middling-length-$i; done"),
        0);
}

static const struct plan_op root_op = {.kind = PLAN_DIR, .partition = RIG_NUMBER};

static int judge(const struct disk *disk, struct err *err)
{
    struct layout layout = rig_layout(disk, ROLE_ROOT, FS_EXT);
    struct plan_op op = root_op;
    const struct plan plan = rig_plan(&op, 1);
    return fs_fsck(disk, &layout, &plan, rig_dir, NULL, err);
}

static void passes(const struct disk *disk)
{
    struct err err = {0};
    if (judge(disk, &err) < 0)
        fail_msg("%s", err.text);
}

static struct disk view_of(const char *name)
{
    struct err err = {0};
    struct disk view = DISK_EMPTY;
    char path[200];
    int fd = -1;
    snprintf(path, sizeof path, "%s/%s", rig_dir, name);
    assert_int_equal(file_open(path, &fd, NULL, &err), 0);
    assert_int_equal(disk_over(fd, &view, &err), 0);
    return view;
}

/* Everything with blocks of its own must be in the outline, or e2fsck would report errors here. */
static void sound_ones_pass(void **state)
{
    (void)state;
    static const char *const kinds[] = {"-t ext4",
                                        "-t ext4 -b 1024 -J size=4",
                                        "-t ext4 -I 128",
                                        "-t ext4 -O inline_data,orphan_file,metadata_csum_seed",
                                        "-t ext4 -O meta_bg,^resize_inode -g 1024",
                                        "-t ext4 -O sparse_super2 -E num_backup_sb=1 -g 1024",
                                        "-t ext4 -O ^extent,^64bit,^flex_bg,^metadata_csum",
                                        "-t ext3 -b 1024",
                                        "-t ext2 -b 2048"};
    static char value[900];
    memset(value, 'v', sizeof value);
    const struct plan_xattr xattr = {"user.large", value, sizeof value};
    fill_tree();
    static unsigned char bytes[3 * MIB];
    memset(bytes, 'b', sizeof bytes);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        cleanup_disk struct disk file = rig_disk("disk", kinds[i], 48);
        passes(&file);
        cleanup_disk struct disk view = view_of("disk");
        struct layout layout = rig_layout(&view, ROLE_ROOT, FS_EXT);
        struct plan_op ops[] = {rig_op(PLAN_REMOVE, "/opt/sub", 0),
                                rig_file("/etc/new", 0644, bytes, sizeof bytes)};
        ops[1].xattrs = &xattr;
        ops[1].xattr_count = 1;
        const struct plan plan = rig_plan(ops, 2);
        rig_apply(&view, &layout, &plan);
        passes(&view);
    }
}

static void damage_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *damage; /* for debugfs -w */
        const char *message;
    } cases[] = {{"sif /opt/seq blocks 6", "i_blocks is 6, should be "},
                 {"sif /etc/old links_count 7", "ref count is 7, should be 2"},
                 {"sif /opt size 1", "i_size is 1, should be "},
                 {"freei /etc/old", "Inode bitmap differences"},
                 {"freeb 1200 40", "Block bitmap differences"},
                 {"clri /etc/old", "has deleted/unused inode"},
                 {"kill_file /etc/twin", "is in use, but has dtime set"},
                 {"unlink /opt", "Unconnected directory inode"},
                 {"sif /opt/long block[0] 3", "invalid"}};
    fill_tree();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        struct disk made = rig_disk("disk", "-t ext4 -O ^has_journal,^metadata_csum,uninit_bg", 24);
        disk_close(&made);
        rig_shell("debugfs -w -R '%s' \"$1/disk?offset=%d\" 2>/dev/null", cases[i].damage, RIG_OFFSET);
        cleanup_disk struct disk view = view_of("disk");
        if (judge(&view, &err) == 0)
            fail_msg("\"%s\" was not found", cases[i].damage);
        if (err.kind != ERR_LAYOUT || !strstr(err.text, "ROOT (partition 9): e2fsck found errors: ") ||
            !strstr(err.text, cases[i].message) || strstr(err.text, "Pass ") || strstr(err.text, "? no"))
            fail_msg("\"%s\": kind %d: \"%s\"", cases[i].damage, err.kind, err.text);
    }
}

/* Programs that come first in PATH: an e2fsck that cannot check, and a resize2fs that leaves damage. */
static void put_program(const char *name, const char *text)
{
    assert_int_equal(
        rig_shell("mkdir -p $1/bin; printf '#!/bin/sh\\n%%s\\n' '%s' >$1/bin/%s; chmod +x $1/bin/%s", text,
                  name, name),
        0);
    char path[300];
    snprintf(path, sizeof path, "%s/bin:/usr/sbin:/usr/bin:/sbin:/bin", rig_dir);
    setenv("PATH", path, 1);
}

static void take_programs_away(void)
{
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    assert_int_equal(rig_shell("rm -r $1/bin"), 0);
}

static void a_judge_that_cannot_judge_is_no_verdict(void **state)
{
    (void)state;
    struct err err = {0};
    fill_tree();
    cleanup_disk struct disk disk = rig_disk("disk", "-t ext4", 24);
    put_program("e2fsck", "echo has unsupported features >&2; exit 8");
    int r = judge(&disk, &err);
    take_programs_away();
    assert_int_equal(r, -1);
    assert_int_equal(err.kind, ERR_IO);
    assert_non_null(strstr(err.text, "e2fsck could not check it (exit status 8): has unsupported features"));
}

static int grow(struct disk *disk, struct err *err)
{
    struct layout layout = rig_layout(disk, ROLE_ROOT, FS_EXT);
    assert_int_equal(disk_grow(disk, disk->size + 40 * MIB, err), 0);
    layout.partitions[0].size += 40 * MIB;
    return fs_grow(disk, &layout.partitions[0], rig_dir, RIG_EPOCH, NULL, err);
}

static void what_growing_leaves_is_judged(void **state)
{
    (void)state;
    struct err err = {0};
    fill_tree();
    cleanup_disk struct disk fine = rig_disk("disk", "-t ext4", 24);
    put_program(
        "resize2fs",
        "PATH=/usr/sbin:/sbin:/usr/bin:/bin; resize2fs \"$@\" && debugfs -w -R \"sif /opt/seq blocks 6\" $2");
    int r = grow(&fine, &err);
    take_programs_away();
    assert_int_equal(r, -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    assert_non_null(strstr(err.text, "after resize2fs: ROOT (partition 9): e2fsck found errors: "));
    assert_non_null(strstr(err.text, "i_blocks is 6"));
    disk_close(&fine);

    struct disk made = rig_disk("disk", "-t ext4", 24);
    disk_close(&made);
    rig_shell("debugfs -w -R 'sif /opt/seq blocks 6' \"$1/disk?offset=%d\" 2>/dev/null", RIG_OFFSET);
    cleanup_disk struct disk damaged = rig_open("disk");
    err = (struct err){0};
    assert_int_equal(grow(&damaged, &err), -1);
    assert_int_equal(err.kind, ERR_LAYOUT);
    assert_non_null(strstr(err.text, "before it was grown: ROOT (partition 9): e2fsck found errors: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_ones_pass),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(a_judge_that_cannot_judge_is_no_verdict),
        cmocka_unit_test(what_growing_leaves_is_judged),
    };
    return cmocka_run_group_tests_name("fs fsck", tests, rig_set_up, rig_tear_down);
}
