/* Fragmented free space, and files beyond 32 bits: extent trees, checked by e2fsck and read by debugfs. */
#include "fs_rig.h"
#include "text/hex.h"

enum { SIZE = 7 * MIB + 321, PIECE_KIB = 12, FILES = 1600, NAMES = 500 };

static unsigned char *bytes;

static int set_up(void **state)
{
    bytes = malloc(SIZE);
    for (size_t i = 0; bytes && i < SIZE; i++)
        bytes[i] = (unsigned char)(i * 2654435761u >> 13);
    if (!bytes || rig_set_up(state) < 0)
        return -1;
    return rig_shell(
        "mkdir -p $1/tree/s $1/tree/etc; cd $1/tree/s; head -c %d /dev/urandom | split -a 4 -b %dK - f",
        FILES * PIECE_KIB * 1024, PIECE_KIB);
}

static int tear_down(void **state)
{
    free(bytes);
    return rig_tear_down(state);
}

/* A disk full of small files, with every other one removed: no free extent is longer than a few blocks. */
static struct disk in_pieces(const char *kind)
{
    struct disk disk = rig_disk("disk", kind, 24);
    disk_close(&disk);
    assert_int_equal(rig_shell("ls $1/tree/s | awk 'NR %% 2 {print \"rm /s/\" $1}' >$1/script; "
                               "debugfs -w -f $1/script \"$1/disk?offset=%d\" >/dev/null 2>&1",
                               RIG_OFFSET),
                     0);
    rig_fsck("disk");
    return rig_open("disk");
}

static long free_blocks(void)
{
    cleanup_buf struct buf out = BUF_INIT(100);
    assert_int_equal(rig_output(&out,
                                "debugfs -R 'show_super_stats -h' \"$1/disk?offset=%d\" 2>/dev/null | sed -n "
                                "'s/^Free blocks: *//p'",
                                RIG_OFFSET),
                     0);
    return strtol(out.data, NULL, 10);
}

static void holds(const char *path, size_t len)
{
    struct sha256 sum;
    struct err err = {0};
    char want[SHA256_HEX];
    cleanup_buf struct buf out = BUF_INIT(100);
    assert_int_equal(sha256_of(bytes, len, &sum, &err), 0);
    hex_encode(sum.bytes, SHA256_SIZE, want);
    assert_int_equal(
        rig_output(
            &out,
            "debugfs -R 'cat %s' \"$1/disk?offset=%d\" 2>/dev/null | sha256sum | cut -c1-64 | tr -d '\\n'",
            path, RIG_OFFSET),
        0);
    assert_string_equal(out.data, want);
}

static void apply(struct disk *disk, const struct layout *layout, struct plan_op *ops, size_t count)
{
    const struct plan plan = rig_plan(ops, count);
    rig_apply(disk, layout, &plan);
    rig_fsck("disk");
    struct err err = {0};
    if (fs_fsck(disk, layout, &plan, rig_dir, NULL, &err) < 0)
        fail_msg("%s", err.text);
}

static const char *const kinds[] = {
    "-t ext4 -O ^has_journal -N 8000",
    "-t ext4 -O ^has_journal -N 8000 -b 1024",
    "-t ext4 -O ^has_journal -N 8000 -I 128",
    "-t ext4 -O ^has_journal,^metadata_csum,uninit_bg -N 8000 -g 2048",
    "-t ext4 -O ^has_journal,inline_data -N 8000",
    "-t ext4 -O ^has_journal,^extent,^64bit -N 8000",
    "-t ext2 -N 8000 -b 1024",
};

/* A file is written, replaced by a shorter one and removed: all counts stay right, and no block is lost. */
static void files_in_many_extents_are_counted_rightly(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        cleanup_disk struct disk disk = in_pieces(kinds[i]);
        struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_EXT);
        long before = free_blocks();
        struct plan_op whole[] = {rig_file("/etc/large", 0644, bytes, SIZE)};
        apply(&disk, &layout, whole, 1);
        holds("/etc/large", SIZE);
        if (!strstr(kinds[i], "^extent") && !strstr(kinds[i], "ext2"))
            assert_int_equal(rig_shell("test $(debugfs -R 'dump_extents /etc/large' \"$1/disk?offset=%d\" "
                                       "2>/dev/null | wc -l) -gt 500",
                                       RIG_OFFSET),
                             0);
        struct plan_op shorter[] = {rig_file("/etc/large", 0644, bytes, SIZE / 3)};
        apply(&disk, &layout, shorter, 1);
        holds("/etc/large", SIZE / 3);
        struct plan_op gone[] = {rig_op(PLAN_REMOVE, "/etc/large", 0)};
        apply(&disk, &layout, gone, 1);
        assert_int_equal(free_blocks(), before);
    }
}

/* Folders that grow, links and attributes with blocks of their own. */
static void what_else_takes_blocks_is_counted_rightly(void **state)
{
    (void)state;
    static char names[NAMES][160], target[300], value[900];
    memset(target, 't', sizeof target - 1);
    memset(value, 'v', sizeof value);
    static const struct plan_xattr xattr = {"user.large", value, sizeof value};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        cleanup_disk struct disk disk = in_pieces(kinds[i]);
        struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_EXT);
        long before = free_blocks();
        struct plan_op ops[NAMES + 1] = {rig_op(PLAN_DIR, "/d", 0755)},
                                   gone[] = {rig_op(PLAN_REMOVE, "/d", 0)};
        for (size_t n = 0; n < NAMES; n++) {
            snprintf(names[n], sizeof names[n], "/d/%0120zu", n);
            ops[n + 1] = n % 3 == 0   ? rig_link(names[n], target)
                         : n % 3 == 1 ? rig_file(names[n], 0644, bytes, 5000)
                                      : rig_op(PLAN_DIR, names[n], 0755);
            if (n % 3 != 0) {
                ops[n + 1].xattrs = &xattr;
                ops[n + 1].xattr_count = 1;
            }
        }
        apply(&disk, &layout, ops, NAMES + 1);
        apply(&disk, &layout, gone, 1);
        assert_int_equal(free_blocks(), before);
    }
}

/* The base's own files in many extents are replaced and removed. */
static void what_the_base_has_in_pieces_is_freed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        cleanup_disk struct disk disk = in_pieces(kinds[i]);
        struct layout layout = rig_layout(&disk, ROLE_ROOT, FS_EXT);
        long before = free_blocks();
        assert_int_equal(rig_shell("head -c 3000000 /dev/urandom >$1/new; for n in a b; do echo write $1/new "
                                   "$n; done >$1/script; "
                                   "debugfs -w -f $1/script \"$1/disk?offset=%d\" >/dev/null 2>&1",
                                   RIG_OFFSET),
                         0);
        rig_fsck("disk");
        assert_true(before - free_blocks() > 2 * 3000000 / 4096);
        struct plan_op ops[] = {rig_op(PLAN_REMOVE, "/a", 0), rig_file("/b", 0644, "", 0)};
        apply(&disk, &layout, ops, 2);
        assert_int_equal(free_blocks(), before);
    }
}

/* Copies the view to $1/disk, with holes where it is zeros. */
static void write_out(const struct disk *view)
{
    struct err err = {0};
    static const unsigned char zeros[MIB];
    static unsigned char piece[MIB];
    assert_int_equal(rig_shell("rm -f $1/disk; truncate -s %llu $1/disk", (unsigned long long)view->size), 0);
    cleanup_disk struct disk file = rig_open("disk");
    uint64_t off, end;
    for (uint64_t at = 0; disk_next_data(view, at, &off, &end); at = end)
        for (uint64_t from = off; from < end; from += MIB) {
            size_t len = end - from < MIB ? (size_t)(end - from) : (size_t)MIB;
            assert_int_equal(disk_read(view, piece, len, from, &err), 0);
            if (memcmp(piece, zeros, len) != 0)
                assert_int_equal(disk_write(&file, piece, len, from, &err), 0);
        }
}

/* The block at byte AT of /large, as debugfs finds it, equals that of $1/source. */
static void same_at_both(uint64_t at)
{
    assert_int_equal(
        rig_shell(
            "i=\"$1/disk?offset=%d\"; size=$(debugfs -R 'stats -h' \"$i\" 2>/dev/null | sed -n 's/^Block "
            "size: *//p'); "
            "block=$((%llu / size)); at=$(debugfs -R \"bmap /large $block\" \"$i\" 2>/dev/null); test $at "
            "-gt 0; "
            "piece() { dd if=$1 iflag=skip_bytes,count_bytes bs=$size skip=$2 count=$size status=none; }; "
            "piece $1/disk $((%d + at * size)) >$1/a; piece $1/source $((block * size)) >$1/b; "
            "truncate -s $size $1/b; cmp $1/a $1/b",
            RIG_OFFSET, (unsigned long long)at, RIG_OFFSET),
        0);
}

/* Sizes and offsets beyond 4 GiB: a sparse file of that size in a view needs no space and little time. */
static void files_beyond_32_bits_are_written_whole(void **state)
{
    (void)state;
    static const char *const large[] = {"-t ext4 -N 20000 -m 0",
                                        "-t ext4 -N 1000 -m 0 -I 128 -b 1024 -O ^has_journal"};
    struct err err = {0};
    cleanup_close int fd = -1;
    char path[200];
    struct blob blob = {0};
    assert_int_equal(rig_shell("truncate -s $((4 * 1024 + 60))M $1/source && printf head | dd of=$1/source "
                               "conv=notrunc status=none && "
                               "printf middle | dd of=$1/source conv=notrunc bs=1 seek=$((4 * 1024 * 1024 * "
                               "1024 - 3)) status=none && "
                               "printf 'the end' >>$1/source"),
                     0);
    snprintf(path, sizeof path, "%s/source", rig_dir);
    assert_int_equal(file_open(path, &fd, &blob.size, &err), 0);
    blob.fd = fd;
    assert_int_equal(file_identify(fd, &blob.identity, &err), 0);
    assert_int_equal(file_sha256(fd, 0, blob.size, NULL, &blob.sha256, &err), 0);
    rig_shell("mv $1/tree $1/small && mkdir $1/tree");
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        struct disk base = rig_disk("base", large[i], 4400);
        disk_close(&base);
        cleanup_disk struct disk view = DISK_EMPTY;
        int base_fd = -1;
        snprintf(path, sizeof path, "%s/base", rig_dir);
        assert_int_equal(file_open(path, &base_fd, NULL, &err), 0);
        assert_int_equal(disk_over(base_fd, &view, &err), 0);
        struct layout layout = rig_layout(&view, ROLE_ROOT, FS_EXT);
        struct plan_op ops[] = {rig_op(PLAN_FILE, "/large", 0644), rig_file("/none", 0644, "", 0)};
        ops[0].content = blob;
        const struct plan plan = rig_plan(ops, 2);
        rig_apply(&view, &layout, &plan);
        if (fs_fsck(&view, &layout, &plan, rig_dir, NULL, &err) < 0)
            fail_msg("%s", err.text);
        write_out(&view);
        rig_fsck("disk");
        same_at_both(0);
        same_at_both(UINT64_C(4) << 30);
        same_at_both((UINT64_C(4) << 30) - 4096);
        same_at_both(blob.size - 1);
    }
    rig_shell("rm -rf $1/tree $1/source $1/base $1/disk; mv $1/small $1/tree");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_in_many_extents_are_counted_rightly),
        cmocka_unit_test(what_else_takes_blocks_is_counted_rightly),
        cmocka_unit_test(what_the_base_has_in_pieces_is_freed),
        cmocka_unit_test(files_beyond_32_bits_are_written_whole),
    };
    return cmocka_run_group_tests_name("fs pieces", tests, set_up, tear_down);
}
