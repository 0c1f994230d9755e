/* Damaged and hostile images: every call returns in bounded time, nothing crashes, and no byte outside the
 * partition changes. */
#include <time.h>

#include "fs_rig.h"

enum { ROUNDS = 120, SIZE_MIB = 4 };

static uint64_t next(uint64_t *seed) /* xorshift64*: the same damage in every run */
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(2685821657736338717);
}

/* Makes DISK a copy of IMAGE in memory, with a pattern outside the partition. */
static struct disk copy_of(const struct buf *image)
{
    struct err err = {0};
    struct disk disk = DISK_EMPTY;
    assert_int_equal(disk_in_memory(image->len, &disk, &err), 0);
    memcpy(disk.memory, image->data, image->len);
    memset(disk.memory, 0xa5, RIG_OFFSET);
    memset(disk.memory + RIG_OFFSET + SIZE_MIB * MIB, 0xa5, 4 * MIB);
    return disk;
}

static void outside_is_untouched(const struct disk *disk)
{
    const unsigned char *after = disk->memory + RIG_OFFSET + SIZE_MIB * MIB;
    assert_true(disk->memory[0] == 0xa5 && after[0] == 0xa5);
    assert_int_equal(memcmp(disk->memory, disk->memory + 1, RIG_OFFSET - 1), 0);
    assert_int_equal(memcmp(after, after + 1, 4 * MIB - 1), 0);
}

/* Every block that is not empty is a target; superblock, descriptors, bitmaps, inodes and folders come first
 * in an image. */
static void damage(struct disk *disk, uint64_t *seed)
{
    unsigned char *part = disk->memory + RIG_OFFSET;
    unsigned hits = 1 + (unsigned)(next(seed) % 12);
    for (unsigned i = 0; i < hits; i++) {
        size_t at = (size_t)(next(seed) % (SIZE_MIB * MIB));
        for (unsigned tries = 0; tries < 4096 && part[at] == 0; tries++)
            at = (at + 509) % (SIZE_MIB * MIB); /* mostly zeros: skip to a byte that matters */
        if (next(seed) % 4 == 0)
            at = 1024 + (size_t)(next(seed) % 256);
        static const unsigned char likely[] = {0, 1, 2, 0x7f, 0x80, 0xff};
        part[at] = next(seed) % 2 ? (unsigned char)next(seed) : likely[next(seed) % sizeof likely];
        if (next(seed) % 8 == 0) {
            size_t from = (size_t)(next(seed) % (SIZE_MIB * MIB / 64)) * 64, to = at & ~(size_t)63;
            memcpy(part + to, part + from, from == to ? 0 : 64);
        }
    }
}

static void apply_to(struct disk *disk)
{
    struct err err = {0};
    struct layout layout = rig_layout(disk, ROLE_ROOT, FS_EXT);
    static const struct plan_xattr xattr = {"security.selinux", "label", 6};
    static char bytes[30000];
    struct plan_op ops[] = {
        rig_op(PLAN_REMOVE, "/opt/sub", 0),    rig_op(PLAN_REMOVE, "/etc/indirect", 0),
        rig_op(PLAN_DIR, "/opt/bin", 0755),    rig_file("/opt/bin/x", 0755, bytes, sizeof bytes),
        rig_file("/conf/old", 0644, "new", 3), rig_link("/opt/bin/l", "x"),
        rig_file("/many/new", 0644, "n", 1)};
    ops[3].xattrs = &xattr;
    ops[3].xattr_count = 1;
    const struct plan plan = rig_plan(ops, sizeof ops / sizeof *ops);
    cleanup_fs_changes struct fs_changes changes = {0};
    if (fs_apply(disk, &layout, &plan, NULL, &changes, &err) < 0)
        assert_true(err.text[0] != '\0' && err.kind != ERR_NONE);
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    cleanup_fs_stat struct fs_stat stat = {0};
    cleanup_fs_list struct fs_list list = {0};
    if (fs_read_file(disk, &layout, RIG_NUMBER, "/etc/indirect", 1 << 20, &text, &err) < 0 ||
        fs_stat(disk, &layout, RIG_NUMBER, "/etc/attr", &stat, &err) < 0 ||
        fs_list(disk, &layout, RIG_NUMBER, "/many", &list, &err) < 0)
        assert_true(err.text[0] != '\0');
    outside_is_untouched(disk);
}

static void damaged_images_are_survived(void **state)
{
    (void)state;
    static const char *const kinds[] = {"-t ext4 -b 1024 -O ^metadata_csum,^has_journal -N 256",
                                        "-t ext4 -O inline_data,^metadata_csum,^has_journal -N 256",
                                        "-t ext2 -b 1024 -N 256", "-t ext4 -b 1024 -O ^has_journal -N 256"};
    assert_int_equal(
        rig_shell("rm -rf $1/tree; mkdir -p $1/tree/etc $1/tree/opt/sub/a/b $1/tree/many; cd $1/tree; "
                  "echo old > etc/old; yes | head -c 400000 > etc/indirect; ln -s /etc conf; "
                  "echo x > opt/sub/a/b/f; cp etc/indirect opt/sub/a/g; ln etc/old opt/sub/hard; "
                  "echo a > etc/attr; for i in {1..40}; do : > many/some-name-$i; done; "
                  "ln -s $(printf 'x%%.0s' {1..200}) opt/sub/long; setfattr -n user.a -v b etc/attr || true"),
        0);
    uint64_t seed = 88172645463325252;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct err err = {0};
        cleanup_disk struct disk made = rig_disk("disk", kinds[i], SIZE_MIB);
        cleanup_buf struct buf image = BUF_INIT(64 * MIB);
        assert_int_equal(file_read_fd(made.fd, 64 * MIB, &image, "image", &err), 0);
        time_t longest = 0;
        for (unsigned round = 0; round < ROUNDS; round++) {
            cleanup_disk struct disk disk = copy_of(&image);
            damage(&disk, &seed);
            time_t start = time(NULL);
            apply_to(&disk);
            time_t took = time(NULL) - start;
            longest = took > longest ? took : longest;
        }
        assert_true(longest < 30);
    }
}

/* Blocks 3000 to 3002 (of 1 KiB) are full of pointers to the next one, and 3003 is a folder's block without
 * names. */
static void lay_maze(struct disk *disk)
{
    unsigned char *blocks = disk->memory + RIG_OFFSET + 3000 * 1024;
    for (uint32_t i = 0; i < 3 * 256; i++) {
        uint32_t next_block = 3001 + i / 256;
        memcpy(blocks + (size_t)i * 4, &next_block, 4);
    }
    static const unsigned char empty[8] = {0, 0, 0, 0, 1024 & 0xff, 1024 >> 8, 0, 0};
    memcpy(blocks + 3 * 1024, empty, sizeof empty);
}

/* Crafted damage that random changes do not reach. */
static void traps_are_answered(void **state)
{
    (void)state;
    assert_int_equal(rig_shell("rm -rf $1/tree; mkdir -p $1/tree/opt/sub/a/b $1/tree/many $1/tree/etc; echo "
                               "o > $1/tree/etc/old; "
                               "yes | head -c 400000 > $1/tree/etc/indirect; ln -s /etc $1/tree/conf"),
                     0);
    const struct {
        const char *kind, *commands;
        const char *message; /* NULL: it may also pass */
    } cases[] = {
        /* a folder that contains itself, and one with two names */
        {"-t ext2 -b 1024 -N 256", "ln <2> /opt/sub/a/b/up", "directory corrupted"},
        {"-t ext2 -b 1024 -N 256", "ln /opt/sub/a /opt/sub/a/b/up", "directory corrupted"},
        {"-t ext2 -b 1024 -N 256", "ln /opt/sub/a/b /opt/sub/again", "directory corrupted"},
        /* one block of a folder, 256^3 times; and the same in a file that is removed */
        {"-t ext2 -b 1024 -N 256",
         "set_inode_field /many block[TIND] 3000\\nset_inode_field /many size 0x3fffff00",
         "structures form a loop"},
        {"-t ext2 -b 1024 -N 256",
         "set_inode_field /opt/sub/f block[TIND] 3000\\nset_inode_field /opt/sub/f size 0x3fffff00", NULL},
        {"-t ext4 -N 256", "set_super_value blocks_count 0xfffffff0", "larger than its partition"},
        {"-t ext4 -N 256", "set_super_value inodes_per_group 0", "superblock is damaged"},
        {"-t ext4 -N 256", "feature FEATURE_I20", "features that this libext2fs does not support"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        cleanup_disk struct disk made = rig_disk("disk", cases[i].kind, SIZE_MIB);
        rig_output(NULL, "printf '%s\\n' | debugfs -w -f - \"$1/disk?offset=%d\" >/dev/null 2>&1; true",
                   cases[i].commands, RIG_OFFSET);
        cleanup_buf struct buf image = BUF_INIT(64 * MIB);
        assert_int_equal(file_read_fd(made.fd, 64 * MIB, &image, "image", &err), 0);
        cleanup_disk struct disk disk = copy_of(&image);
        lay_maze(&disk);
        struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_EXT);
        struct plan_op ops[] = {rig_op(PLAN_REMOVE, "/opt/sub", 0), rig_file("/many/x", 0644, "x", 1)};
        const struct plan plan = rig_plan(ops, 2);
        time_t start = time(NULL);
        cleanup_fs_changes struct fs_changes changes = {0};
        int r = fs_apply(&disk, &layout, &plan, NULL, &changes, &err);
        assert_true(time(NULL) - start < 30);
        outside_is_untouched(&disk);
        if (cases[i].message && (r == 0 || !strstr(err.text, cases[i].message)))
            fail_msg("case %zu: %s", i, r == 0 ? "it passed" : err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_images_are_survived),
        cmocka_unit_test(traps_are_answered),
    };
    return cmocka_run_group_tests_name("fs hostile", tests, rig_set_up, rig_tear_down);
}
