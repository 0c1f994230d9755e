/* The layout stage on a tiny disk with Container Linux's layout, and on damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/file.h"
#include "io/proc.h"
#include "layout/layout.h"

static char dir[] = "/tmp/bake-test-layout.XXXXXX";

static int shell(const char *script)
{
    struct err err = {0};
    const char *const argv[] = {"bash", "-c", script, "sh", dir, NULL};
    struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .max_output = 4096};
    cleanup_proc_result struct proc_result result = {0};
    if (proc_run(&spec, NULL, &result, &err) < 0 || result.status != 0) {
        print_message("%s\n%s%s", script, result.err.data ? result.err.data : "", err.text);
        return -1;
    }
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    return shell("tests/support/minidisk \"$1/disk\"");
}

static int tear_down(void **state)
{
    (void)state;
    return shell("rm -r \"$1\"");
}

/* A private copy of the disk, changed by SCRIPT ($d is the copy; start N prints a partition's first byte). */
static struct disk changed(const char *script)
{
    char text[2048], path[128];
    struct err err = {0};
    struct disk disk = DISK_EMPTY;
    snprintf(text, sizeof text,
             "set -e; export PATH=$PATH:/usr/sbin:/sbin MTOOLSRC=/dev/null; d=\"$1/copy\"; cp "
             "--sparse=always \"$1/disk\" \"$d\"; start() { echo $(($(sgdisk -i $1 $d | awk '/First sector/ "
             "{print $3}') * 512)); }; %s",
             script);
    assert_int_equal(shell(text), 0);
    snprintf(path, sizeof path, "%s/copy", dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(disk_from_fd(fd, &disk, &err), 0);
    return disk;
}

static void reads_a_container_linux_disk(void **state)
{
    (void)state;
    struct err err = {0};
    struct layout layout;
    cleanup_disk struct disk disk = changed(":");
    if (layout_read(&disk, NULL, &layout, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(layout.os, OS_COREOS);
    assert_string_equal(layout.os_version, "2512.3.0");
    assert_int_equal(layout.partition_count, 7);
    const struct partition *usr = &layout.partitions[layout.usr];
    assert_int_equal(usr->number, 3);
    assert_string_equal(usr->label, "USR-A");
    assert_string_equal(usr->guid, "7130C94A-213A-4E5A-8E26-6CCE9662F132");
    assert_true(usr->attributes == (UINT64_C(1) << 48 | UINT64_C(1) << 56));
    assert_int_equal(layout.partitions[layout.root].number, 9);
    assert_int_equal(layout.partitions[layout.root].fs, FS_EXT);
    assert_int_equal(layout.partitions[layout.esp].fs, FS_VFAT);
}

static void a_missing_backup_table_is_accepted(void **state)
{
    (void)state;
    struct err err = {0};
    struct layout layout;
    cleanup_disk struct disk cut =
        changed("dd if=/dev/zero of=$d bs=512 seek=$(($(stat -c %s $d) / 512 - 33)) count=33 "
                "conv=notrunc status=none");
    assert_int_equal(layout_read(&cut, NULL, &layout, &err), 0);
    disk_close(&cut);
    cleanup_disk struct disk grown = changed("truncate -s 1G $d");
    assert_int_equal(layout_read(&grown, NULL, &layout, &err), 0);
}

/* As BIOS boot loaders need it: a partition of the GPT is in the MBR, too. */
static void a_hybrid_table_is_accepted(void **state)
{
    (void)state;
    struct err err = {0};
    struct layout layout;
    cleanup_disk struct disk disk = changed("sgdisk --hybrid=9 $d");
    assert_int_equal(layout_read(&disk, NULL, &layout, &err), 0);
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *script, *message;
    } cases[] = {
        {"printf x | dd of=$d bs=1 seek=560 conv=notrunc status=none", "header's CRC"},
        {"printf x | dd of=$d bs=1 seek=1100 conv=notrunc status=none", "entries' CRC"},
        {"head -c 20000000 /dev/zero > $d", "not a disk"},
        {"head -c 100 /dev/zero > $d", "not a disk"},
        /* other tables are named: sectors of 4096 bytes, an MBR, a lost header, many entries */
        {"head -c 16896 /dev/zero > $1/z; dd if=$d of=$1/g bs=512 skip=1 count=33 status=none; dd if=$1/z "
         "of=$d bs=512 seek=1 conv=notrunc status=none; dd if=$1/g of=$d bs=512 seek=8 conv=notrunc "
         "status=none",
         "a disk with sectors of 4096 bytes"},
        {"dd if=/dev/zero of=$d bs=512 seek=1 count=33 conv=notrunc status=none; printf '\\203' | dd of=$d "
         "bs=1 seek=450 conv=notrunc status=none",
         "only with an MBR partition table"},
        {"dd if=/dev/zero of=$d bs=512 seek=1 count=1 conv=notrunc status=none",
         "the backup at the end of the disk is there"},
        {"sgdisk --resize-table=256 $d", "a GPT with 256 entries"},
        {"head -c 1000 /dev/zero >$d; printf hsqs | dd of=$d conv=notrunc status=none; truncate -s 9M $d",
         "a squashfs file system"},
        {"truncate -s 60M $d", "reaches beyond the end"},
        {"sgdisk -U 11111111-2222-3333-4444-555555555555 $d", "has been booted: its disk GUID"},
        {"mdel -i $d@@$(start 1) ::coreos/first_boot", "has been booted: the first_boot flag"},
        {"printf '%s\\n' 0123456789abcdef0123456789abcdef > $1/id; debugfs -w -R \"write $1/id "
         "/etc/machine-id\" \"$d?offset=$(start 9)\"",
         "has been booted: ROOT has an /etc/machine-id"},
        {"sgdisk -c 9:DATA $d", "no partition ROOT"},
        {"sgdisk -c 7:ROOT -t 7:3884DD41-8582-4404-B9A8-E9B84F2DF50E $d", "two partitions named ROOT"},
        {"sgdisk -c 9:root -c 7:boot -t 7:BC13C2FF-59E6-4262-A352-B275FD6F7172 $d", "Fedora CoreOS"},
        {"dd if=/dev/zero of=$d bs=1M seek=$(($(start 9) / 1048576)) count=8 conv=notrunc status=none",
         "ROOT (partition 9) holds none"},
        {"debugfs -w -R 'rm /lib/os-release' \"$d?offset=$(start 3)\"", "no os-release"},
        {"printf 'ID=debian\\n' > $1/os; debugfs -w -f <(printf 'rm /lib/os-release\\nwrite %s/os "
         "/lib/os-release\\n' "
         "$1) \"$d?offset=$(start 3)\"",
         "os-release says \"debian\""},
        {"dd if=/dev/urandom of=$d bs=1M seek=$(($(start 1) / 1048576)) count=8 conv=notrunc status=none",
         "EFI-SYSTEM"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        struct layout layout = {.partition_count = 77};
        cleanup_disk struct disk disk = changed(cases[i].script);
        assert_int_equal(layout_read(&disk, NULL, &layout, &err), -1);
        if (err.kind != ERR_LAYOUT || !strstr(err.text, cases[i].message))
            fail_msg("case %zu: kind %d: \"%s\" does not hold \"%s\"", i, err.kind, err.text,
                     cases[i].message);
        assert_int_equal(layout.partition_count, 77);
    }
}

/* Overlapping entries with correct checksums: sgdisk would not write them, so they are patched in. */
static void overlapping_partitions_are_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct layout layout;
    cleanup_disk struct disk disk = changed(
        "python3 - $d <<'E'\n"
        "import sys, struct, zlib\n"
        "f = open(sys.argv[1], 'r+b'); f.seek(512); h = bytearray(f.read(92)); f.seek(1024); e = "
        "bytearray(f.read(128 * 128))\n"
        "a = struct.unpack_from('<Q', e, 2 * 128 + 32)[0]; struct.pack_into('<Q', e, 3 * 128 + 32, a + 8)\n"
        "struct.pack_into('<I', h, 88, zlib.crc32(e)); struct.pack_into('<I', h, 16, 0)\n"
        "struct.pack_into('<I', h, 16, zlib.crc32(h)); f.seek(512); f.write(h); f.seek(1024); f.write(e)\n"
        "E\n");
    assert_int_equal(layout_read(&disk, NULL, &layout, &err), -1);
    if (!strstr(err.text, "partitions 3 (USR-A) and 4 (USR-B) overlap"))
        fail_msg("%s", err.text);
}

static void growing_keeps_identity_and_boot_code(void **state)
{
    (void)state;
    struct err err = {0};
    struct layout before, after;
    cleanup_disk struct disk disk = changed("printf BOOTCODE | dd of=$d bs=1 conv=notrunc status=none");
    assert_int_equal(layout_read(&disk, NULL, &before, &err), 0);
    after = before;
    if (layout_grow(&disk, UINT64_C(3) << 30, true, &after, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(disk.size == UINT64_C(3) << 30);
    struct layout read;
    assert_int_equal(layout_read(&disk, NULL, &read, &err), 0);
    assert_string_equal(read.disk_guid, before.disk_guid);
    for (unsigned i = 0; i < before.partition_count; i++) {
        assert_string_equal(read.partitions[i].guid, before.partitions[i].guid);
        assert_string_equal(read.partitions[i].type, before.partitions[i].type);
        assert_string_equal(read.partitions[i].label, before.partitions[i].label);
        assert_true(read.partitions[i].attributes == before.partitions[i].attributes);
        assert_true(read.partitions[i].start == before.partitions[i].start);
    }
    uint64_t end = read.partitions[read.root].start + read.partitions[read.root].size;
    assert_true(end <= disk.size && disk.size - end < 2 << 20);
    assert_true(read.partitions[read.root].size == after.partitions[after.root].size);
    char boot[8];
    assert_int_equal(disk_read(&disk, boot, 8, 0, &err), 0);
    assert_memory_equal(boot, "BOOTCODE", 8);
    assert_int_equal(shell("PATH=$PATH:/usr/sbin sgdisk -v \"$1/copy\" | grep -q 'No problems found'"), 0);
}

static void padding_moves_the_backup_only(void **state)
{
    (void)state;
    struct err err = {0};
    struct layout layout;
    cleanup_disk struct disk disk = changed(":");
    assert_int_equal(layout_read(&disk, NULL, &layout, &err), 0);
    uint64_t root = layout.partitions[layout.root].size;
    assert_int_equal(layout_grow(&disk, 0, false, &layout, &err), 0);
    assert_true(disk.size == UINT64_C(1) << 30 && layout.disk_size == disk.size);
    assert_true(layout.partitions[layout.root].size == root);
    assert_int_equal(shell("PATH=$PATH:/usr/sbin sgdisk -v \"$1/copy\" | grep -q 'No problems found'"), 0);
}

/* A view has no file for libfdisk to write to: the result must be the same table, wherever the backup is. */
static void a_view_grows_like_a_file(void **state)
{
    (void)state;
    static const char zeros[] = "n=$(($(stat -c %s $d) / 512 - 33)); "
                                "dd if=/dev/zero of=$d bs=512 seek=$n count=33 conv=notrunc status=none";
    const char *const scripts[] = {":", zeros, "truncate -s 600M $d"};
    static unsigned char one[1 << 20], other[1 << 20];
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        for (unsigned grow_root = 0; grow_root < 2; grow_root++) {
            struct err err = {0};
            struct layout layout, of_view;
            cleanup_disk struct disk disk = changed(scripts[i]);
            cleanup_disk struct disk view = DISK_EMPTY;
            assert_int_equal(shell("cp --sparse=always \"$1/copy\" \"$1/base\""), 0);
            char path[128];
            snprintf(path, sizeof path, "%s/base", dir);
            assert_int_equal(disk_over(open(path, O_RDONLY | O_CLOEXEC), &view, &err), 0);
            if (layout_read(&disk, NULL, &layout, &err) < 0 || layout_read(&view, NULL, &of_view, &err) < 0)
                fail_msg("%s", err.text);
            assert_memory_equal(&layout, &of_view, sizeof layout);
            if (layout_grow(&disk, UINT64_C(2) << 30, grow_root != 0, &layout, &err) < 0 ||
                layout_grow(&view, UINT64_C(2) << 30, grow_root != 0, &of_view, &err) < 0)
                fail_msg("%s", err.text);
            assert_memory_equal(&layout, &of_view, sizeof layout);
            assert_true(disk.size == view.size);
            uint64_t off = 0, end = 0;
            for (uint64_t at = 0; disk_next_data(&disk, at, &off, &end); at += sizeof one) {
                at = off / sizeof one * sizeof one > at ? off / sizeof one * sizeof one : at;
                assert_int_equal(disk_read(&disk, one, sizeof one, at, &err), 0);
                assert_int_equal(disk_read(&view, other, sizeof other, at, &err), 0);
                assert_memory_equal(one, other, sizeof one);
            }
        }
}

static void paths_map_to_partitions(void **state)
{
    (void)state;
    struct err err = {0};
    struct layout layout;
    cleanup_disk struct disk disk = changed(":");
    assert_int_equal(layout_read(&disk, NULL, &layout, &err), 0);
    static const struct {
        const char *path;
        unsigned partition; /* 0: refused */
        const char *inside;
    } cases[] = {
        {"/opt/bin/x", 9, "/opt/bin/x"}, {"/", 9, "/"},           {"/usr/share/oem/base.ign", 6, "/base.ign"},
        {"/usr/share/oem", 6, "/"},      {"/usrx", 9, "/usrx"},   {"/usr/bin/x", 0, "/usr is read-only"},
        {"/usr", 0, "/usr is"},          {"/boot/x", 0, "/boot"}, {"/run/x", 0, "empty at every boot"},
        {"/proc/x", 0, "kernel"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned number = 0;
        char inside[PATH_CAP];
        int r = layout_map(&layout, cases[i].path, &number, inside, &err);
        assert_int_equal(r, cases[i].partition ? 0 : -1);
        assert_int_equal(number, cases[i].partition);
        if (r == 0)
            assert_string_equal(inside, cases[i].inside);
        else
            assert_non_null(strstr(err.text, cases[i].inside));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_container_linux_disk),
        cmocka_unit_test(a_missing_backup_table_is_accepted),
        cmocka_unit_test(a_hybrid_table_is_accepted),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(overlapping_partitions_are_refused),
        cmocka_unit_test(growing_keeps_identity_and_boot_code),
        cmocka_unit_test(a_view_grows_like_a_file),
        cmocka_unit_test(padding_moves_the_backup_only),
        cmocka_unit_test(paths_map_to_partitions),
    };
    return cmocka_run_group_tests_name("layout", tests, set_up, tear_down);
}
