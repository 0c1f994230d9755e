/* Real disks through pack_disk(), read with GNU tar, bsdtar, gzip and Python. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "io/file.h"
#include "io/proc.h"
#include "pack/pack.h"
#include "text/hex.h"

static const uint64_t GIB = UINT64_C(1) << 30;
static char dir[] = "/tmp/test_pack.XXXXXX";
static struct err err;

#define OK(call)                                                                                             \
    do {                                                                                                     \
        if ((call) < 0)                                                                                      \
            fail_msg("%s: %s", #call, err.text);                                                             \
    } while (0)

static void shell(const char *script, char *out, size_t room)
{
    const char *argv[] = {"bash", "-euo", "pipefail", "-c", script, NULL};
    const struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .max_output = 64 << 10};
    struct proc_result result = {0};
    OK(proc_run(&spec, NULL, &result, &err));
    if (result.status != 0)
        fail_msg("%s\n-> %d\n%s%s", script, result.status, result.out.data ? result.out.data : "",
                 result.err.data ? result.err.data : "");
    if (out)
        snprintf(out, room, "%s", result.out.data ? result.out.data : "");
    proc_result_free(&result);
}

static void in_dir(const char *format, ...) print_like(1, 2);
static void in_dir(const char *format, ...)
{
    char script[4096];
    int n = snprintf(script, sizeof script, "cd %s\n", dir);
    va_list args;
    va_start(args, format);
    vsnprintf(script + n, sizeof script - (size_t)n, format, args);
    va_end(args);
    shell(script, NULL, 0);
}

/* Checks that the sparse map of archive NAME ends with an empty entry at SIZE. */
static const char last_piece[] =
    "import gzip, sys\n"
    "def number(f):\n"
    "    return int.from_bytes(f[1:], 'big') if f[0] & 128 else int(f.rstrip(b'\\0 ') or b'0', 8)\n"
    "s = gzip.open(sys.argv[1])\n"
    "h = s.read(512)\n"
    "assert h[156:157] == b'S', h[156]\n"
    "entries, more = h[386:482], h[482]\n"
    "while more:\n"
    "    b = s.read(512)\n"
    "    entries, more = entries + b[:504], b[504]\n"
    "pieces = [(number(entries[i:i + 12]), number(entries[i + 12:i + 24])) for i in range(0, len(entries), "
    "24) if entries[i]]\n"
    "assert pieces[-1] == (int(sys.argv[2]), 0), pieces[-3:]\n"
    "assert len(pieces) == 1 or sum(pieces[-2]) == int(sys.argv[2]) or sys.argv[3] == 'hole', pieces[-3:]\n";

static void ends_with_an_empty_piece(const char *name, uint64_t size, bool hole)
{
    in_dir("cat >last.py <<'P'\n%sP\npython3 last.py %s %llu %s", last_piece, name, (unsigned long long)size,
           hole ? "hole" : "data");
}

static void disk_new(struct disk *disk, uint64_t size)
{
    int fd = -1;
    OK(file_scratch(dir, &fd, &err));
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    OK(disk_from_fd(fd, disk, &err));
}

/* LEN bytes that neither repeat nor are zero; each SEED gives others. */
static void put(struct disk *disk, uint64_t off, size_t len, uint32_t seed)
{
    unsigned char *bytes = malloc(len);
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++) {
        seed = seed * UINT32_C(1664525) + UINT32_C(1013904223);
        bytes[i] = (unsigned char)(seed >> (i % 3 ? 30 : 24) | 1);
    }
    OK(disk_write(disk, bytes, len, off, &err));
    free(bytes);
}

static int archive_new(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static void same_as(const char *hex_command, const uint8_t *digest, size_t len)
{
    char out[256], hex[SHA512_HEX];
    shell(hex_command, out, sizeof out);
    hex_encode(digest, len, hex);
    if (strncmp(out, hex, 2 * len) != 0)
        fail_msg("%s gives %s, not %s", hex_command, out, hex);
}

/* Packs to NAME and checks it with pack_check() and the readers' listings. */
static void pack_and_list(const struct disk *disk, const char *name, struct packed *packed)
{
    char command[512];
    const struct pack_options options = {.threads = 2, .epoch = 1600000000};
    cleanup_close int fd = archive_new(name);
    OK(pack_disk(disk, &options, fd, NULL, packed, &err));
    OK(pack_check(fd, packed, disk, NULL, &err));
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, packed->archive_size);
    snprintf(command, sizeof command, "sha256sum %s/%s", dir, name);
    same_as(command, packed->archive_sha256.bytes, SHA256_SIZE);
    in_dir("gzip -t %s\n"
           "line=\"-rw-r--r-- 0/0 %llu 2020-09-13 12:26 disk.raw\"\n"
           "got=$(TZ=UTC tar -tvzf %s | tr -s ' '); [ \"$got\" = \"$line\" ] || { echo \"$got\"; exit 1; }\n"
           "got=$(TZ=UTC bsdtar -tvzf %s | tr -s ' '); [[ $got == *' 0 0 %llu Sep 13 2020 disk.raw' ]] || "
           "{ echo \"$got\"; exit 1; }\n",
           name, (unsigned long long)disk->size, name, name, (unsigned long long)disk->size);
}

/* Another implementation of disk_tree. */
static const char python_tree[] = "import hashlib, os, struct, sys\n"
                                  "d = open(sys.argv[1], 'rb')\n"
                                  "size = os.fstat(d.fileno()).st_size\n"
                                  "h = hashlib.sha256(b'bake disk 1\\n' + struct.pack('<Q', size))\n"
                                  "zeros = bytes(1 << 20)\n"
                                  "for off in range(0, size, 1 << 20):\n"
                                  "    data = d.read(1 << 20)\n"
                                  "    if data != zeros:\n"
                                  "        h.update(struct.pack('<Q', off) + hashlib.sha256(data).digest())\n"
                                  "print(h.hexdigest())\n";

/* As above, and GNU tar must extract the same disk, equally sparse. */
static void pack_and_read(const struct disk *disk, const char *name, struct packed *packed)
{
    char command[2048];
    pack_and_list(disk, name, packed);
    snprintf(command, sizeof command, "python3 - /proc/%d/fd/%d <<'END'\n%s\nEND", getpid(), disk->fd,
             python_tree);
    same_as(command, packed->disk_tree.bytes, SHA256_SIZE);
    in_dir("rm -rf x && mkdir x && tar -C x -xzf %s && cmp x/disk.raw /proc/%d/fd/%d\n"
           "real=$(stat -c '%%b*%%B' x/disk.raw); echo $((real))\n"
           "[ $((real)) -le $((%llu + (1 << 20))) ]\n"
           "rm -rf x",
           name, getpid(), disk->fd, (unsigned long long)packed->segment_count * PACK_SEGMENT);
}

static const char python_reader[] =
    "import sys, tarfile\n"
    "with tarfile.open(sys.argv[1], 'r|gz') as t:\n"
    "    n = 0\n"
    "    for m in t:\n"
    "        n += 1\n"
    "        assert m.name == 'disk.raw' and m.issparse() and m.size == int(sys.argv[2]), m\n"
    "        f = t.extractfile(m)\n"
    "        d = open(sys.argv[3], 'rb')\n"
    "        while True:\n"
    "            a = f.read(1 << 22)\n"
    "            assert a == d.read(1 << 22)\n"
    "            if not a: break\n"
    "    assert n == 1\n";

static void python_reads(const struct disk *disk, const char *name)
{
    char script[2048];
    snprintf(script, sizeof script, "python3 - %s/%s %llu /proc/%d/fd/%d <<'END'\n%s\nEND", dir, name,
             (unsigned long long)disk->size, getpid(), disk->fd, python_reader);
    shell(script, NULL, 0);
}

static void empty_disk(void **state)
{
    (void)state;
    cleanup_disk struct disk disk = DISK_EMPTY;
    cleanup_packed struct packed packed = {0};
    disk_new(&disk, GIB);
    pack_and_read(&disk, "empty", &packed);
    python_reads(&disk, "empty");
    assert_int_equal(packed.segment_count, 2);
    assert_true(packed.archive_size < 2 * 4096);
}

/* Holes at odd places, the first and the last byte, extents that share a block, 1 to 150 extents. */
static void odd_places(void **state)
{
    (void)state;
    cleanup_disk struct disk disk = DISK_EMPTY;
    cleanup_packed struct packed packed = {0};
    disk_new(&disk, GIB);
    put(&disk, 0, 1, 1);
    put(&disk, GIB - 1, 1, 2);
    put(&disk, PACK_SEGMENT - 1, 2, 3);
    put(&disk, 10 * (uint64_t)PACK_SEGMENT + 65535, 3 * PACK_SEGMENT, 4);
    for (uint32_t i = 0; i < 150; i++)
        put(&disk, 100 * (uint64_t)PACK_SEGMENT + i * (uint64_t)PACK_BLOCK * 5 + i * 7, 100 + i * 801, i);
    pack_and_read(&disk, "odd", &packed);
    python_reads(&disk, "odd");
}

/* 4, 5, 25, 26 and 46 extents: where the header and each extension block are just full. */
static void map_boundaries(void **state)
{
    (void)state;
    static const unsigned counts[] = {3, 4, 5, 24, 25, 26, 46, 47};
    cleanup_disk struct disk disk = DISK_EMPTY;
    disk_new(&disk, GIB);
    unsigned made = 0;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        cleanup_packed struct packed packed = {0};
        for (; made < counts[i]; made++)
            put(&disk, made * 3 * (uint64_t)PACK_BLOCK, 10, made);
        const struct pack_options options = {.epoch = 0};
        cleanup_close int fd = archive_new("map");
        OK(pack_disk(&disk, &options, fd, NULL, &packed, &err));
        OK(pack_check(fd, &packed, &disk, NULL, &err));
        in_dir("tar -xzOf map | cmp - /proc/%d/fd/%d; bsdtar -xOf map | cmp - /proc/%d/fd/%d", getpid(),
               disk.fd, getpid(), disk.fd);
    }
}

/* Offsets and a size that do not fit octal fields. */
static void over_8_gib(void **state)
{
    (void)state;
    cleanup_disk struct disk disk = DISK_EMPTY;
    cleanup_packed struct packed packed = {0};
    disk_new(&disk, 9 * GIB);
    put(&disk, 4096, 5000000, 1);
    put(&disk, 8 * GIB - 70000, 200000, 2);
    put(&disk, 9 * GIB - 512, 512, 3);
    pack_and_list(&disk, "large", &packed);
    assert_int_equal(packed.disk_size, 9 * GIB);
    ends_with_an_empty_piece("large", 9 * GIB, false);
    in_dir("rm -rf x && mkdir x && tar -C x -xzf large && d=/proc/%d/fd/%d\n"
           "[ $(stat -c %%s x/disk.raw) = %llu ]\n"
           "for at in 0 8589000000 9663000000; do\n"
           "  cmp -n 6000000 -i $at x/disk.raw $d\n"
           "done\n"
           "python3 -c 'import tarfile; m, = tarfile.open(\"large\", \"r|gz\"); "
           "assert m.size == %llu and m.issparse(), m'\n"
           "rm -rf x",
           getpid(), disk.fd, (unsigned long long)(9 * GIB), (unsigned long long)(9 * GIB));
}

/* GNU tar's own archives of a disk with data at its end, and of one without. */
static void gnu_tar_ends_its_map_so(void **state)
{
    (void)state;
    for (int hole = 0; hole <= 1; hole++) {
        in_dir("rm -f gnu.raw && truncate -s 4M gnu.raw && printf x | dd of=gnu.raw bs=1 seek=1000 "
               "conv=notrunc 2>&1\n"
               "[ %d = 1 ] || printf x | dd of=gnu.raw bs=1 seek=4194303 conv=notrunc 2>&1\n"
               "tar --format=oldgnu -Sczf gnu gnu.raw",
               hole);
        ends_with_an_empty_piece("gnu", 4 << 20, hole);
    }
}

static void dense(void **state)
{
    (void)state;
    cleanup_disk struct disk disk = DISK_EMPTY;
    cleanup_packed struct packed packed = {0};
    disk_new(&disk, GIB);
    for (uint32_t i = 0; i < 64; i++)
        put(&disk, i * (GIB / 64), (size_t)(GIB / 64), i);
    const struct pack_options options = {0};
    cleanup_close int fd = archive_new("dense");
    OK(pack_disk(&disk, &options, fd, NULL, &packed, &err));
    OK(pack_check(fd, &packed, &disk, NULL, &err));
    in_dir("gzip -t dense");
    ends_with_an_empty_piece("dense", GIB, false);
    assert_int_equal(packed.segment_count, GIB / PACK_SEGMENT + 2);
}

/* The archive depends only on the disk's bytes, not on threads or on the file system's holes. */
static void same_bytes(void **state)
{
    (void)state;
    static const char *const places[] = {NULL, "/dev/shm"};
    static const unsigned threads[] = {1, 2, 7};
    struct sha256 first = {0};
    bool have = false;
    for (size_t p = 0; p < 2; p++)
        for (int zeros = 0; zeros < 2; zeros++) {
            cleanup_disk struct disk disk = DISK_EMPTY;
            int scratch = -1;
            OK(file_scratch(places[p] ? places[p] : dir, &scratch, &err));
            assert_int_equal(ftruncate(scratch, (off_t)GIB), 0);
            OK(disk_from_fd(scratch, &disk, &err));
            for (uint32_t i = 0; i < 40; i++) {
                static const unsigned char zero[300000];
                if (zeros) /* allocated, but zero */
                    OK(disk_write(&disk, zero, sizeof zero, i * 999999U + 500000, &err));
                put(&disk, i * 999999U, 30000 + i * 3333, i);
            }
            size_t runs = have ? 1 : sizeof threads / sizeof *threads;
            for (size_t t = 0; t < runs; t++) {
                cleanup_packed struct packed packed = {0};
                cleanup_close int fd = archive_new("same");
                const struct pack_options options = {.threads = threads[t], .epoch = 1};
                OK(pack_disk(&disk, &options, fd, NULL, &packed, &err));
                if (have)
                    assert_true(sha256_equal(&first, &packed.archive_sha256));
                first = packed.archive_sha256;
                have = true;
            }
        }
}

static void refuses_odd_sizes(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 512, (UINT64_C(1) << 30) - 512, (UINT64_C(1) << 30) + 512};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        cleanup_disk struct disk disk = DISK_EMPTY;
        cleanup_packed struct packed packed = {0};
        const struct pack_options options = {0};
        disk_new(&disk, sizes[i]);
        cleanup_close int fd = archive_new("size");
        assert_int_equal(pack_disk(&disk, &options, fd, NULL, &packed, &err), -1);
        assert_int_equal(err.kind, ERR_LAYOUT);
        assert_int_equal(packed.segment_count, 0);
    }
}

static void no_room(void **state)
{
    (void)state;
    cleanup_disk struct disk disk = DISK_EMPTY;
    cleanup_packed struct packed packed = {0};
    disk_new(&disk, GIB);
    put(&disk, 0, 8 << 20, 9);
    struct rlimit before, low;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = before;
    low.rlim_cur = 1 << 20;
    signal(SIGXFSZ, SIG_IGN);
    cleanup_close int fd = archive_new("full");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    const struct pack_options options = {.threads = 3};
    int r = pack_disk(&disk, &options, fd, NULL, &packed, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(r, -1);
    assert_int_equal(err.kind, ERR_SPACE);
    assert_null(packed.segments);
}

struct stopper {
    volatile sig_atomic_t stop;
    uint64_t at;
};

static void stop_at(void *ctx, const struct event *event)
{
    struct stopper *stopper = ctx;
    if (event->kind == EVENT_PROGRESS && event->done >= stopper->at)
        stopper->stop = SIGINT;
}

static void interrupted(void **state)
{
    (void)state;
    cleanup_disk struct disk disk = DISK_EMPTY;
    disk_new(&disk, GIB);
    put(&disk, 0, 8 << 20, 9);
    for (uint64_t at = 1; at <= 7; at += 3) {
        cleanup_packed struct packed packed = {0};
        struct stopper stopper = {.at = at};
        const struct run run = {.stop = &stopper.stop, .on_event = stop_at, .ctx = &stopper};
        const struct pack_options options = {.threads = 2};
        cleanup_close int fd = archive_new("stop");
        assert_int_equal(pack_disk(&disk, &options, fd, &run, &packed, &err), -1);
        assert_int_equal(err.kind, ERR_INTERRUPTED);
        assert_null(packed.segments);
    }
}

/* A changed byte anywhere, in the archive or on the disk, is detected. */
static void check_sees_changes(void **state)
{
    (void)state;
    cleanup_disk struct disk disk = DISK_EMPTY;
    cleanup_packed struct packed packed = {0};
    disk_new(&disk, GIB);
    put(&disk, 5, 300000, 9);
    put(&disk, GIB / 2, 70000, 9);
    cleanup_close int fd = archive_new("check");
    const struct pack_options options = {0};
    OK(pack_disk(&disk, &options, fd, NULL, &packed, &err));
    OK(pack_check(fd, &packed, &disk, NULL, &err));
    uint64_t step = packed.archive_size / 37;
    for (uint64_t at = 0; at < packed.archive_size; at += step) {
        unsigned char byte;
        OK(file_pread(fd, &byte, 1, at, "x", &err));
        byte ^= 4;
        OK(file_pwrite(fd, &byte, 1, at, "x", &err));
        assert_int_equal(pack_check(fd, &packed, &disk, NULL, &err), -1);
        assert_int_equal(err.kind, ERR_VERIFY);
        byte ^= 4;
        OK(file_pwrite(fd, &byte, 1, at, "x", &err));
    }
    static const uint64_t places[] = {5, 300004, 4 << 20, UINT64_C(536870912) + 8, (UINT64_C(1) << 30) - 1};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        unsigned char byte, changed;
        OK(disk_read(&disk, &byte, 1, places[i], &err));
        changed = byte ^ 8;
        OK(disk_write(&disk, &changed, 1, places[i], &err));
        assert_int_equal(pack_check(fd, &packed, &disk, NULL, &err), -1);
        assert_int_equal(err.kind, ERR_VERIFY);
        OK(disk_write(&disk, &byte, 1, places[i], &err));
    }
    OK(pack_check(fd, &packed, &disk, NULL, &err));
    assert_int_equal(ftruncate(fd, (off_t)packed.archive_size - 1), 0);
    assert_int_equal(pack_check(fd, &packed, &disk, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
}

/* A segment deflated or read alone is the same, which the segment cache relies on. */
static void segments_are_consecutive(void **state)
{
    (void)state;
    cleanup_disk struct disk disk = DISK_EMPTY;
    cleanup_packed struct packed a = {0}, b = {0};
    disk_new(&disk, GIB);
    put(&disk, 0, 5 << 20, 9);
    put(&disk, 700 << 20, 3 << 20, 10);
    cleanup_close int fd = archive_new("a");
    cleanup_close int fd2 = archive_new("b");
    const struct pack_options options = {0};
    OK(pack_disk(&disk, &options, fd, NULL, &a, &err));
    put(&disk, 2 << 20, 1 << 20, 77);
    OK(pack_disk(&disk, &options, fd2, NULL, &b, &err));
    assert_int_equal(a.segment_count, 10);
    assert_int_equal(b.segment_count, 10);
    uint64_t at = 0;
    unsigned changed = 0;
    for (size_t i = 0; i < a.segment_count; i++) {
        assert_int_equal(a.segments[i].packed_off, at);
        at += a.segments[i].packed_len;
        changed += !sha256_equal(&a.segments[i].packed_sha256, &b.segments[i].packed_sha256);
    }
    assert_int_equal(at, a.archive_size);
    assert_int_equal(changed, 2); /* the changed segment, and the trailer with the CRC */
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    in_dir("rm -rf -- \"$PWD\"");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_disk),
        cmocka_unit_test(odd_places),
        cmocka_unit_test(map_boundaries),
        cmocka_unit_test(over_8_gib),
        cmocka_unit_test(gnu_tar_ends_its_map_so),
        cmocka_unit_test(dense),
        cmocka_unit_test(same_bytes),
        cmocka_unit_test(refuses_odd_sizes),
        cmocka_unit_test(no_room),
        cmocka_unit_test(interrupted),
        cmocka_unit_test(check_sees_changes),
        cmocka_unit_test(segments_are_consecutive),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
