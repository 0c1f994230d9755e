/* The same plan on a disk that is a file and on a view of a base: the same bytes, the base untouched, every
 * change reported. */
#include "fs_rig.h"

enum { BIG = 3 * MIB + 777, OPS = 12, MANY = 200 };

static struct blob blob_in_file(const char *name, size_t len, unsigned salt)
{
    struct err err = {0};
    struct blob blob = {.size = len};
    char path[200];
    unsigned char *bytes = malloc(len);
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)((i + salt) * 2654435761u >> 13);
    snprintf(path, sizeof path, "%s/%s", rig_dir, name);
    assert_int_equal(file_put(path, bytes, len, 0600, &err), 0);
    assert_int_equal(sha256_of(bytes, len, &blob.sha256, &err), 0);
    assert_int_equal(file_open(path, &blob.fd, NULL, &err), 0);
    free(bytes);
    return blob;
}

static struct plan_op from_file(const char *path, const struct blob *blob)
{
    struct plan_op op = rig_op(PLAN_FILE, path, 0755);
    op.content = *blob;
    return op;
}

static void base_tree(void)
{
    assert_int_equal(rig_shell("mkdir -p $1/tree/etc $1/tree/opt/old/deep; head -c 2000000 /dev/urandom > "
                               "$1/tree/opt/old/deep/data; seq 1 100000 > $1/tree/etc/seq"),
                     0);
}

/* $1/NAME is the disk as a file, and $1/NAME.base is the base of a view. */
static void make_both(const char *name, const char *features, unsigned size_mib, struct disk *file,
                      struct disk *view)
{
    struct err err = {0};
    char path[200];
    *file = rig_disk(name, features, size_mib);
    assert_int_equal(rig_shell("cp --sparse=always $1/%s $1/%s.base", name, name), 0);
    snprintf(path, sizeof path, "%s/%s.base", rig_dir, name);
    int fd = -1;
    assert_int_equal(file_open(path, &fd, NULL, &err), 0);
    assert_int_equal(disk_over(fd, view, &err), 0);
}

static void same_disk(const struct disk *a, const struct disk *b, const struct disk *base)
{
    struct err err = {0};
    static unsigned char one[MIB], other[MIB], before[MIB];
    assert_int_equal(a->size, b->size);
    for (uint64_t at = 0; at < a->size; at += MIB) {
        size_t len = a->size - at < MIB ? (size_t)(a->size - at) : (size_t)MIB;
        assert_int_equal(disk_read(a, one, len, at, &err), 0);
        assert_int_equal(disk_read(b, other, len, at, &err), 0);
        if (memcmp(one, other, len) != 0)
            fail_msg("they differ between byte %llu and %llu", (unsigned long long)at,
                     (unsigned long long)(at + len));
        /* outside the reported ranges, the base is unchanged */
        memset(before, 0, sizeof before);
        if (at < base->size)
            assert_int_equal(
                disk_read(base, before, base->size - at < len ? (size_t)(base->size - at) : len, at, &err),
                0);
        uint64_t off = at, end = at, next = at;
        while (next < at + len) {
            bool found = disk_next_change(b, next, &off, &end);
            uint64_t stop = found && off < at + len ? off : at + len;
            assert_memory_equal(other + (next - at), before + (next - at), stop - next);
            next = found ? end : at + len;
        }
    }
}

static void the_same_bytes(void **state)
{
    (void)state;
    static const char *const features[] = {"-t ext4", "-t ext4 -b 1024", "-t ext4 -O inline_data", "-t ext3",
                                           "-t ext2 -b 2048"};
    static char names[MANY][64];
    base_tree();
    struct blob big = blob_in_file("big", BIG, 0), other = blob_in_file("other", 5 * MIB, 9),
                small = blob_in_file("small", 100, 3);
    struct blob part = other; /* a range of a file, as cached members are */
    struct err err = {0};
    part.off = 4096 * 3 + 17;
    part.size = 1000001;
    assert_int_equal(file_sha256(part.fd, part.off, part.size, NULL, &part.sha256, &err), 0);
    for (size_t f = 0; f < sizeof features / sizeof *features; f++) {
        struct plan_op ops[OPS + MANY];
        size_t n = 0;
        ops[n++] = rig_op(PLAN_REMOVE, "/opt/old", 0); /* later operations reuse its blocks */
        ops[n++] = rig_op(PLAN_DIR, "/opt/bin", 0755);
        ops[n++] = from_file("/opt/bin/big", &big);
        ops[n++] = from_file("/opt/bin/small", &small);
        ops[n++] = from_file("/opt/bin/big", &other); /* twice: the first one's blocks are freed */
        ops[n++] = from_file("/opt/bin/part", &part);
        ops[n++] = from_file("/opt/bin/third", &big);
        ops[n++] = rig_link("/opt/bin/link", "big");
        ops[n++] = rig_op(PLAN_DIR, "/many", 0755);
        for (size_t i = 0; i < MANY; i++) {
            snprintf(names[i], 64, "/many/a-rather-long-name-of-a-file-number-%04zu", i);
            ops[n++] = rig_file(names[i], 0644, names[i], 10);
        }
        cleanup_disk struct disk file = DISK_EMPTY;
        cleanup_disk struct disk view = DISK_EMPTY;
        make_both("both", features[f], 60, &file, &view);
        cleanup_disk struct disk base = rig_open("both.base");
        struct sha256 before = rig_digest(&base), after;
        const struct layout layout = rig_layout(&file, ROLE_ROOT, FS_EXT);
        const struct plan plan = rig_plan(ops, n);
        cleanup_fs_changes struct fs_changes one = {0};
        cleanup_fs_changes struct fs_changes two = {0};
        if (fs_apply(&file, &layout, &plan, NULL, &one, &err) < 0 ||
            fs_apply(&view, &layout, &plan, NULL, &two, &err) < 0)
            fail_msg("%s: %s", features[f], err.text);
        assert_int_equal(one.bytes_changed, two.bytes_changed);
        same_disk(&file, &view, &base);
        rig_fsck("both");
        assert_int_equal(disk_check_files(&view, &err), 0);
        after = rig_digest(&base);
        assert_true(sha256_equal(&before, &after));
    }
    close(big.fd);
    close(other.fd);
    close(small.fd);
}

static void it_grows_the_same(void **state)
{
    (void)state;
    struct err err = {0};
    base_tree();
    cleanup_disk struct disk file = DISK_EMPTY;
    cleanup_disk struct disk view = DISK_EMPTY;
    make_both("grow", "-t ext4", 60, &file, &view);
    cleanup_disk struct disk base = rig_open("grow.base");
    struct layout layout = rig_layout(&file, ROLE_ROOT, FS_EXT);
    layout.partitions[0].size = 290 * MIB;
    struct disk *both[] = {&file, &view};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(disk_grow(both[i], 300 * MIB, &err), 0);
        if (fs_grow(both[i], &layout.partitions[0], rig_dir, RIG_EPOCH, NULL, &err) < 0)
            fail_msg("%s", err.text);
    }
    same_disk(&file, &view, &base);
    rig_fsck("grow");
    uint64_t off, end, before = 0, changed = 0;
    for (uint64_t at = 0; disk_next_change(&view, at, &off, &end); at = before = end) {
        assert_true(before == 0 || off > before); /* adjacent ranges are merged */
        changed += end - off;
    }
    assert_true(changed > 0 && changed < 4 * MIB); /* less than was copied */
}

static void what_is_not_as_planned_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct blob blob = blob_in_file("changing", BIG, 5);
    cleanup_disk struct disk file = DISK_EMPTY;
    cleanup_disk struct disk view = DISK_EMPTY;
    make_both("bad", "-t ext4", 60, &file, &view);
    const struct layout layout = rig_layout(&file, ROLE_ROOT, FS_EXT);
    struct plan_op ops[] = {from_file("/x", &blob)};
    const struct plan plan = rig_plan(ops, 1);
    cleanup_fs_changes struct fs_changes changes = {0};
    assert_int_equal(rig_shell("printf x | dd of=$1/changing bs=1 seek=1000000 conv=notrunc status=none"), 0);
    assert_int_equal(fs_apply(&view, &layout, &plan, NULL, &changes, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
    /* a file of known identity is not read again, but must be unchanged, now and when the disk is packed */
    struct blob known = blob_in_file("known", BIG, 6);
    assert_int_equal(file_identify(known.fd, &known.identity, &err), 0);
    ops[0] = from_file("/x", &known);
    if (fs_apply(&view, &layout, &plan, NULL, &changes, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(disk_check_files(&view, &err), 0);
    assert_int_equal(rig_shell("printf x | dd of=$1/known bs=1 seek=1000000 conv=notrunc status=none"), 0);
    assert_int_equal(disk_check_files(&view, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
    assert_int_equal(fs_apply(&view, &layout, &plan, NULL, &changes, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
    close(known.fd);
    ops[0] = from_file("/x", &blob);
    assert_int_equal(rig_shell("truncate -s 1000 $1/changing"), 0);
    assert_int_equal(fs_apply(&view, &layout, &plan, NULL, &changes, &err), -1);
    close(blob.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bytes),
        cmocka_unit_test(it_grows_the_same),
        cmocka_unit_test(what_is_not_as_planned_is_refused),
    };
    return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
