/* Corrupts a small ext file system, checks and applies a plan, and reads the result. Nothing may crash, hang,
 * or change a byte outside the partition.
 *
 * Input: one byte that selects the kind of file system, then changes of four bytes each: 24 bits of position
 * (little-endian; only bytes of the image that are not zero are numbered, so that every change has an
 * effect), and the new byte.
 */
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs/fs.h"
#include "io/file.h"
#include "io/proc.h"

enum { MIB = 1 << 20, START = 64 << 10, SIZE = 2 * MIB, TAIL = 64 << 10, TOTAL = START + SIZE + TAIL };
enum { KINDS = 4, PATTERN = 0xa5 };

static const char *const kinds[KINDS] = {"-t ext4 -b 1024 -O ^metadata_csum,^has_journal -N 64",
                                         "-t ext4 -b 4096 -O inline_data,^metadata_csum,^has_journal -N 64",
                                         "-t ext2 -b 1024 -I 128 -N 64",
                                         "-t ext4 -b 1024 -O ^has_journal -N 64"};

struct base {
    unsigned char *image; /* TOTAL bytes */
    uint32_t *places;     /* of bytes that are not zero, and their neighbours */
    size_t count;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void make_base(const char *kind, struct base *ret)
{
    char script[2048], path[] = "/tmp/bake-fuzz-ext.XXXXXX";
    struct err err = {0};
    if (!mkdtemp(path))
        abort();
    snprintf(
        script, sizeof script,
        "set -e; cd %s; PATH=$PATH:/usr/sbin:/sbin; mkdir -p t/etc t/opt/sub/a t/many; echo old > t/etc/old; "
        "ln -s /etc t/conf; ln t/etc/old t/opt/sub/hard; yes | head -c 300000 > t/opt/sub/a/f; ln -s "
        "$(printf 'x%%.0s' {1..200}) t/opt/sub/long; for i in {1..20}; do : > t/many/name-$i; done; "
        "truncate -s %d d; mke2fs -q -F %s -E offset=%d,root_owner=0:0 -d t d 2M; cat d; rm -rf %s",
        path, TOTAL, kind, START, path);
    const char *const argv[] = {"bash", "-c", script, NULL};
    const struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .max_output = TOTAL};
    cleanup_proc_result struct proc_result result = {0};
    if (proc_run(&spec, NULL, &result, &err) < 0 || result.status != 0 || result.out.len != TOTAL)
        abort();
    ret->image = (unsigned char *)buf_steal(&result.out);
    ret->places = calloc(SIZE, sizeof *ret->places);
    if (!ret->image || !ret->places)
        abort();
    memset(ret->image, PATTERN, START);
    memset(ret->image + START + SIZE, PATTERN, TAIL);
    for (uint32_t at = START; at < START + SIZE; at++)
        if (ret->image[at] != 0 || ret->image[at - 1] != 0 || ret->image[at + 1] != 0)
            ret->places[ret->count++] = at;
}

static void use(struct disk *disk)
{
    struct err err = {0};
    struct layout layout = {.partition_count = 1, .disk_size = TOTAL};
    layout.partitions[0] = (struct partition){
        .number = 9, .start = START, .size = SIZE, .role = ROLE_ROOT, .fs = FS_EXT, .label = "ROOT"};
    static const char bytes[9000] = "x";
    const struct plan_xattr xattr = {"security.selinux", "label", 5};
    struct plan_op ops[] = {
        {.kind = PLAN_REMOVE, .path = "/opt/sub"},
        {.kind = PLAN_DIR, .path = "/opt/bin", .mode = 0755},
        {.kind = PLAN_FILE, .path = "/opt/bin/f", .mode = 0755, .xattrs = &xattr, .xattr_count = 1},
        {.kind = PLAN_SYMLINK, .path = "/opt/bin/l", .target = "f"},
        {.kind = PLAN_FILE, .path = "/conf/old", .mode = 0644},
        {.kind = PLAN_FILE, .path = "/many/x", .mode = 0644}};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        ops[i].partition = 9;
        ops[i].image_path = ops[i].path;
        if (ops[i].kind == PLAN_FILE &&
            blob_from_memory(bytes, i == 2 ? sizeof bytes : 1, &ops[i].content, &err) < 0)
            abort();
    }
    const struct plan plan = {.ops = ops, .op_count = sizeof ops / sizeof *ops, .epoch = 1600000000};
    cleanup_fs_changes struct fs_changes changes = {0};
    if (fs_apply(disk, &layout, &plan, NULL, &changes, &err) < 0 && (err.kind == ERR_NONE || !*err.text))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct base bases[KINDS];
    struct err err = {0};
    if (len < 1)
        return 0;
    struct base *base = &bases[bytes[0] % KINDS];
    if (!base->image)
        make_base(kinds[bytes[0] % KINDS], base);
    cleanup_disk struct disk disk = DISK_EMPTY;
    if (disk_in_memory(TOTAL, &disk, &err) < 0)
        abort();
    memcpy(disk.memory, base->image, TOTAL);
    for (size_t i = 1; i + 4 <= len; i += 4) {
        uint32_t place = (uint32_t)bytes[i] | (uint32_t)bytes[i + 1] << 8 | (uint32_t)bytes[i + 2] << 16;
        disk.memory[base->places[place % base->count]] = bytes[i + 3];
    }
    use(&disk);
    if (memcmp(disk.memory, base->image, START) != 0 ||
        memcmp(disk.memory + START + SIZE, base->image + START + SIZE, TAIL) != 0)
        abort();
    return 0;
}
