/* The segment cache: the archive is the same whatever is in the cache and whatever happens to it. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "cache/internal.h"
#include "io/file.h"
#include "task/progress.h"
#include "pack/precompress.h"
#include "pack/pack.h"
#include "pack/segment/segindex.h"
#include "pack/segment/store.h"

static const uint64_t GIB = UINT64_C(1) << 30;
static char dir[] = "/tmp/test_store.XXXXXX";
static struct err err;
static const struct sha256 base_name = {{0xba, 0x5e}};

#define OK(call)                                                                                             \
    do {                                                                                                     \
        if ((call) < 0)                                                                                      \
            fail_msg("%s: %s", #call, err.text);                                                             \
    } while (0)

struct heard {
    unsigned warnings;
    const char *rm; /* a folder to remove at the first sign of progress */
};

static void remove_all(const char *path)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

static void hear(void *ctx, const struct event *event)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct heard *heard = ctx;
    pthread_mutex_lock(&lock);
    heard->warnings += event->kind == EVENT_WARN;
    if (heard->rm && event->kind == EVENT_PROGRESS) {
        remove_all(heard->rm);
        heard->rm = NULL;
    }
    pthread_mutex_unlock(&lock);
}

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

/* A base of 12 segments with data; each SEED gives another. */
static int base_new(uint32_t seed)
{
    int fd = -1;
    cleanup_disk struct disk disk = DISK_EMPTY;
    OK(file_scratch(dir, &fd, &err));
    assert_int_equal(ftruncate(fd, (off_t)GIB), 0);
    OK(disk_from_fd(dup(fd), &disk, &err));
    put(&disk, 100, 6 << 20, seed);
    put(&disk, 500 << 20, 5 << 20, seed + 1);
    return fd;
}

/* The base with a change. */
static void view_new(struct disk *disk, int base, uint32_t change)
{
    OK(disk_over(dup(base), disk, &err));
    if (change)
        put(disk, 3 << 20, 300000, change);
}

static struct cache *cache_new(const char *name, uint64_t max)
{
    char path[128];
    struct cache *cache = NULL;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    const struct cache_options options = {.dir = path, .max_bytes = max};
    OK(cache_open(&options, &cache, &err));
    return cache;
}

static struct sha256 pack(const struct disk *disk, struct cache *cache, bool view, unsigned threads,
                          struct heard *heard)
{
    int fd = -1;
    cleanup_packed struct packed packed = {0};
    const struct run run = {.on_event = hear, .ctx = heard};
    const struct pack_options options = {
        .threads = threads, .cache = cache, .base = view ? &base_name : NULL, .epoch = 7};
    OK(file_scratch(dir, &fd, &err));
    OK(pack_disk(disk, &options, fd, &run, &packed, &err));
    close(fd);
    return packed.archive_sha256;
}

static struct sha256 cold(const struct disk *disk)
{
    struct heard heard = {0};
    return pack(disk, NULL, false, 2, &heard);
}

static void same(const struct sha256 *a, struct sha256 b)
{
    assert_memory_equal(a->bytes, b.bytes, SHA256_SIZE);
}

/* Counts the entries and their total bytes. */
static unsigned entries(const char *name, uint64_t *ret_bytes, char path[static 400])
{
    char folder[128];
    unsigned count = 0;
    struct stat st;
    *ret_bytes = 0;
    snprintf(folder, sizeof folder, "%s/%s/segment", dir, name);
    DIR *d = opendir(folder);
    if (!d) /* nothing was cached yet */
        return 0;
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.' || strchr(e->d_name, '.'))
            continue;
        snprintf(path, 400, "%s/%s", folder, e->d_name);
        assert_int_equal(stat(path, &st), 0);
        *ret_bytes += (uint64_t)st.st_size;
        count++;
    }
    closedir(d);
    return count;
}

/* Packing the same disk again writes nothing; packing a changed one keeps only the change. */
static void only_what_is_new(void **state)
{
    (void)state;
    char path[400];
    uint64_t first = 0, second = 0;
    struct heard heard = {0};
    cleanup_close int base = base_new(1);
    cleanup_disk struct disk plain = DISK_EMPTY;
    cleanup_disk struct disk changed = DISK_EMPTY;
    view_new(&plain, base, 0);
    view_new(&changed, base, 9);
    struct sha256 want = cold(&plain), want_changed = cold(&changed);
    struct cache *cache = cache_new("new", 0);
    for (unsigned threads = 1; threads <= 3; threads++) {
        same(&want, pack(&plain, cache, true, threads, &heard));
        assert_int_equal(entries("new", &first, path), 1);
    }
    same(&want_changed, pack(&changed, cache, true, 2, &heard));
    assert_int_equal(entries("new", &second, path), 2);
    assert_in_range(second - first, 1, first / 5);
    same(&want_changed, pack(&changed, cache, true, 2, &heard));
    same(&want, pack(&plain, cache, false, 2, &heard)); /* also found by content */
    assert_int_equal(entries("new", &second, path), 3); /* with another prefix: no base is known */
    assert_int_equal(heard.warnings, 0);
    cache_close(cache);
}

/* Known segments of a base are not read: another base with the same digest goes unnoticed except where the
 * view changed it. */
static void base_is_not_read(void **state)
{
    (void)state;
    struct heard heard = {0};
    cleanup_close int base = base_new(1);
    cleanup_close int other = base_new(2);
    cleanup_disk struct disk right = DISK_EMPTY;
    cleanup_disk struct disk wrong = DISK_EMPTY;
    view_new(&right, base, 0);
    view_new(&wrong, other, 0);
    struct cache *cache = cache_new("unread", 0);
    struct sha256 want = pack(&right, cache, true, 2, &heard);
    same(&want, pack(&wrong, cache, true, 2, &heard));
    struct sha256 without = pack(&wrong, cache, false, 2, &heard);
    assert_memory_not_equal(want.bytes, without.bytes, SHA256_SIZE);
    put(&wrong, 5 << 20, 4, 1);
    struct sha256 now = pack(&wrong, cache, true, 2, &heard);
    assert_memory_not_equal(want.bytes, now.bytes, SHA256_SIZE);
    cache_close(cache);
}

/* Maps a named file of 5 MiB into the middle of the disk. */
static int embed(struct disk *disk, uint32_t seed, const struct sha256 *name)
{
    int fd = -1;
    cleanup_disk struct disk file = DISK_EMPTY;
    OK(file_scratch(dir, &fd, &err));
    assert_int_equal(ftruncate(fd, 5 << 20), 0);
    OK(disk_from_fd(dup(fd), &file, &err));
    put(&file, 0, 5 << 20, seed);
    const struct extent_source source = {.fd = fd, .content = *name, .named = true};
    OK(disk_map_extent(disk, (300 << 20) + 4096, 5 << 20, &source, &err));
    return fd;
}

/* Nor are known segments of a file mapped into the disk, found by the file's name, even elsewhere in the
 * base. */
static void files_are_not_read(void **state)
{
    (void)state;
    static const struct sha256 name = {{1}}, other_name = {{2}};
    struct heard heard = {0};
    cleanup_close int base = base_new(1);
    struct cache *cache = cache_new("files", 0);
    struct sha256 packed[3];
    for (uint32_t i = 0; i < 3; i++) {
        cleanup_disk struct disk disk = DISK_EMPTY;
        view_new(&disk, base, 0);
        int file = embed(&disk, 70 + i, i < 2 ? &name : &other_name);
        packed[i] = pack(&disk, cache, true, 2, &heard);
        assert_int_equal(memcmp(cold(&disk).bytes, packed[i].bytes, SHA256_SIZE) == 0, i != 1);
        close(file);
    }
    same(&packed[0], packed[1]); /* other content with the same name goes unnoticed */
    assert_memory_not_equal(packed[1].bytes, packed[2].bytes, SHA256_SIZE);
    cache_close(cache);
}

/* Unpacks a base: copies it piece by piece, with its holes. With WHOLE false, gives up in the middle. */
static void unpack_slowly(int from, int to, struct progress *progress, bool whole)
{
    static unsigned char bytes[700000];
    for (uint64_t at = 0; at < GIB; at += sizeof bytes) {
        size_t len = GIB - at < sizeof bytes ? (size_t)(GIB - at) : sizeof bytes;
        off_t data = lseek(from, (off_t)at, SEEK_DATA);
        if (!whole && at > 3 << 20)
            break;
        if (data >= 0 && (uint64_t)data < at + len) {
            OK(file_pread(from, bytes, len, at, "base", &err));
            OK(file_pwrite(to, bytes, len, at, "base", &err));
        }
        progress_advance(progress, to, at + len);
    }
    assert_int_equal(ftruncate(to, (off_t)GIB), 0);
    progress_end(progress, whole);
}

static void ahead_of_the_bake(void **state)
{
    (void)state;
    char path[400];
    uint64_t size = 0;
    struct heard heard = {0};
    cleanup_close int base = base_new(20);
    cleanup_disk struct disk disk = DISK_EMPTY;
    view_new(&disk, base, 21);
    struct sha256 want = cold(&disk);
    struct cache *cache = cache_new("ahead", 0);
    struct pack_options options = {.cache = cache, .base = &base_name, .threads = 1};
    struct precompress *none = NULL;
    OK(precompress_begin(&options, NULL, NULL, &none, &err));
    assert_null(none);
    options.threads = 2;
    for (int whole = 0; whole <= 1; whole++) {
        struct progress *progress = NULL;
        struct precompress *precompress = NULL;
        cleanup_close int to = -1;
        OK(file_scratch(dir, &to, &err));
        OK(progress_new(&progress, &err));
        OK(precompress_begin(&options, progress, NULL, &precompress, &err));
        assert_non_null(precompress);
        unpack_slowly(base, to, progress, whole);
        for (int i = 0; whole && i < 100 && entries("ahead", &size, path) == 0; i++)
            usleep(100000); /* else it would be ended at once */
        precompress_end(precompress);
        progress_free(progress);
        /* nothing is kept of an abandoned base */
        assert_int_equal(entries("ahead", &size, path), whole);
    }
    assert_true(strstr(path, "-ahead"));
    uint64_t before = size;
    same(&want, pack(&disk, cache, true, 2, &heard));
    assert_int_equal(entries("ahead", &size, path), 2);
    assert_in_range(size - before, 1, before / 5); /* only what the view changed */
    /* when the base is unpacked again, there is nothing to do */
    struct progress *progress = NULL;
    struct precompress *precompress = NULL;
    OK(progress_new(&progress, &err));
    OK(precompress_begin(&options, progress, NULL, &precompress, &err));
    progress_advance(progress, base, GIB);
    progress_end(progress, true);
    precompress_end(precompress);
    progress_free(progress);
    assert_int_equal(entries("ahead", &size, path), 2);
    /* nothing is unpacked at all */
    OK(progress_new(&progress, &err));
    OK(precompress_begin(&options, progress, NULL, &precompress, &err));
    precompress_end(precompress);
    progress_free(progress);
    same(&want, pack(&disk, cache, true, 2, &heard));
    assert_int_equal(heard.warnings, 0);
    cache_close(cache);
}

/* Changes a byte and updates the note to match, as if the disk had silently returned wrong data. */
static void spoil(struct cache *cache, const char *path, uint64_t at)
{
    unsigned char byte;
    struct stat st;
    struct cache_meta meta;
    const char *key = strrchr(path, '/') + 1;
    assert_int_equal(chmod(path, 0600), 0);
    cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
    OK(file_pread(fd, &byte, 1, at, path, &err));
    byte ^= 0x20;
    OK(file_pwrite(fd, &byte, 1, at, path, &err));
    assert_int_equal(fchmod(fd, 0400), 0);
    assert_true(cache_meta_read(cache, "segment", key, &meta));
    assert_int_equal(fstat(fd, &st), 0);
    cache_meta_of(&st, &meta.sha256, &meta);
    OK(cache_meta_write(cache, "segment", key, &meta, &err));
}

static void damaged(void **state)
{
    (void)state;
    char path[400];
    uint64_t size = 0;
    cleanup_close int base = base_new(3);
    cleanup_disk struct disk disk = DISK_EMPTY;
    view_new(&disk, base, 4);
    struct sha256 want = cold(&disk);
    struct cache *cache = cache_new("damaged", 0);
    struct heard none = {0};
    same(&want, pack(&disk, cache, true, 2, &none));
    assert_int_equal(entries("damaged", &size, path), 1);
    for (unsigned i = 0; i < 8; i++) { /* in the first segment, between, in the index, in the trailer */
        struct heard heard = {0};
        spoil(cache, path, i == 7 ? size - 1 : i == 6 ? size - 100 : size * i / 7);
        same(&want, pack(&disk, cache, true, 3, &heard));
        /* with or without a warning, it is rebuilt */
        same(&want, pack(&disk, cache, true, 3, &none));
        same(&want, pack(&disk, cache, true, 3, &none));
        assert_int_equal(none.warnings, 0);
        assert_int_equal(entries("damaged", &size, path), 1);
    }
    for (off_t cut = (off_t)size - 1; cut > 0; cut /= 3) { /* truncated: the cache detects that */
        struct heard heard = {0};
        assert_int_equal(chmod(path, 0600), 0);
        assert_int_equal(truncate(path, cut), 0);
        same(&want, pack(&disk, cache, true, 2, &heard));
        assert_int_equal(heard.warnings, 1);
    }
    cache_close(cache);
}

static void deleted_in_use(void **state)
{
    (void)state;
    char path[128];
    cleanup_close int base = base_new(5);
    cleanup_disk struct disk disk = DISK_EMPTY;
    view_new(&disk, base, 6);
    struct sha256 want = cold(&disk);
    snprintf(path, sizeof path, "%s/deleted/segment", dir);
    struct cache *cache = cache_new("deleted", 0);
    struct heard heard = {.rm = path};
    same(&want, pack(&disk, cache, true, 2, &heard)); /* while it is written */
    same(&want, pack(&disk, cache, true, 2, &heard));
    heard.rm = path;
    same(&want, pack(&disk, cache, true, 2, &heard)); /* while it is read */
    cache_close(cache);
}

/* A cache that cannot be used causes only a warning. */
static void unusable(void **state)
{
    (void)state;
    char path[128];
    cleanup_close int base = base_new(5);
    cleanup_disk struct disk disk = DISK_EMPTY;
    view_new(&disk, base, 6);
    struct sha256 want = cold(&disk);
    struct cache *cache = cache_new("unusable", 0);
    snprintf(path, sizeof path, "%s/unusable/segment", dir);
    OK(file_put(path, "x", 1, 0600, &err));
    struct heard heard = {0};
    same(&want, pack(&disk, cache, true, 2, &heard));
    assert_in_range(heard.warnings, 1, 2);
    cache_close(cache);
}

/* Caches on file systems that are full, then read-only. */
static void full_and_read_only(void **state)
{
    (void)state;
    char path[128];
    uint64_t size = 0;
    char entry[400];
    snprintf(path, sizeof path, "%s/small", dir);
    if (geteuid() != 0 || mkdir(path, 0700) < 0 ||
        mount("none", path, "tmpfs", MS_NOSUID | MS_NODEV, "size=2m,mode=0700") < 0)
        skip();
    cleanup_close int base = base_new(7);
    cleanup_disk struct disk disk = DISK_EMPTY;
    view_new(&disk, base, 6);
    struct sha256 want = cold(&disk);
    struct cache *cache = cache_new("small", 0);
    struct heard heard = {0}, none = {0};
    same(&want, pack(&disk, cache, true, 2, &heard));
    assert_int_equal(heard.warnings, 1);
    assert_int_equal(entries("small", &size, entry), 0);
    assert_int_equal(mount("none", path, "tmpfs", MS_REMOUNT | MS_NOSUID | MS_NODEV, "size=64m"), 0);
    same(&want, pack(&disk, cache, true, 2, &none));
    assert_int_equal(entries("small", &size, entry), 1);
    assert_int_equal(mount("none", path, "tmpfs", MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_RDONLY, "size=64m"),
                     0);
    same(&want, pack(&disk, cache, true, 2, &none));
    assert_int_equal(none.warnings, 0);
    put(&disk, 1 << 20, 10, 3);
    want = cold(&disk);
    same(&want, pack(&disk, cache, true, 2, &heard));
    assert_int_equal(heard.warnings, 2);
    cache_close(cache);
    assert_int_equal(umount2(path, MNT_DETACH), 0);
}

/* Where the file system supports it, the archive shares its blocks with the cache. */
static void blocks_are_shared(void **state)
{
    (void)state;
    char path[64], command[512];
    if (geteuid() != 0)
        skip();
    snprintf(path, sizeof path, "%s/xfs", dir);
    snprintf(command, sizeof command,
             "truncate -s 400M %s.img && mkfs.xfs -q -m reflink=1 %s.img && mkdir %s && "
             "mount -o loop %s.img %s && chmod 700 %s",
             path, path, path, path, path, path);
    if (system(command) != 0)
        skip(); /* no loop devices here */
    cleanup_close int base = base_new(9);
    cleanup_disk struct disk disk = DISK_EMPTY;
    view_new(&disk, base, 6);
    struct heard heard = {0};
    struct sha256 want = cold(&disk);
    struct cache *cache = cache_new("xfs", 0);
    same(&want, pack(&disk, cache, true, 2, &heard));
    snprintf(command, sizeof command, "%s/archive", path);
    int fd = open(command, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    cleanup_packed struct packed packed = {0};
    const struct pack_options options = {.threads = 2, .cache = cache, .base = &base_name, .epoch = 7};
    OK(pack_disk(&disk, &options, fd, NULL, &packed, &err));
    same(&want, packed.archive_sha256);
    OK(pack_check(fd, &packed, &disk, NULL, &err));
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(close(fd), 0);
    cache_close(cache);
    snprintf(command, sizeof command, "filefrag -v %s/archive | grep -q shared", path);
    int shared = system(command);
    assert_int_equal(umount2(path, MNT_DETACH), 0);
    assert_int_equal(shared, 0);
    assert_int_equal(heard.warnings, 0);
}

/* Two bakes of one disk, two of others, and one that prunes everything it may, all at once. */
static void shared(void **state)
{
    (void)state;
    enum { BAKES = 4, ROUNDS = 3 };
    cleanup_close int base = base_new(8);
    pid_t pids[BAKES + 1];
    for (unsigned i = 0; i <= BAKES; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] > 0)
            continue;
        int bad = 0;
        for (unsigned round = 0; round < ROUNDS && !bad; round++) {
            struct heard heard = {0};
            struct cache *cache = cache_new("shared", i == BAKES ? 1 : 0);
            if (i < BAKES) {
                cleanup_disk struct disk disk = DISK_EMPTY;
                view_new(&disk, base, 1 + i / 2 + round);
                struct sha256 want = cold(&disk), got = pack(&disk, cache, true, 2, &heard);
                bad = !sha256_equal(&want, &got);
            }
            cache_close(cache); /* trims */
        }
        _exit(bad);
    }
    for (unsigned i = 0; i <= BAKES; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
}

/* Entries do not accumulate: a new one holds all segments in use and replaces the others. */
static void entries_are_bounded(void **state)
{
    (void)state;
    char path[400];
    uint64_t size = 0;
    struct heard heard = {0};
    cleanup_close int base = base_new(9);
    struct cache *cache = cache_new("bounded", 0);
    unsigned most = 0, last = 0;
    for (uint32_t i = 0; i < STORE_ENTRIES_MAX + 3; i++) {
        cleanup_disk struct disk disk = DISK_EMPTY;
        view_new(&disk, base, 100 + i);
        struct sha256 want = cold(&disk);
        same(&want, pack(&disk, cache, true, 2, &heard));
        last = entries("bounded", &size, path);
        most = last > most ? last : most;
    }
    assert_int_equal(most, STORE_ENTRIES_MAX);
    assert_int_equal(last, 3);
    assert_int_equal(heard.warnings, 0);
    cache_close(cache);
}

/* The index is read as it was written, and any change to it is detected. */
static void index_is_read_back(void **state)
{
    (void)state;
    struct segment_record records[3] = {{.raw_len = PACK_BLOCK, .packed_len = 10, .crc = 1, .crc32c = 2},
                                        {.raw_len = PACK_SEGMENT, .packed_len = 20},
                                        {.raw_len = PACK_BLOCK * 3, .packed_len = 5}};
    struct known_segment known[2] = {{.origin = {{4}}, .mask = 1},
                                     {.origin = {{77}}, .raw = {{9}}, .mask = 0xffff}};
    const struct segindex index = {records, known, 3, 2};
    struct segindex got = {0};
    cleanup_buf struct buf buf = BUF_INIT(1 << 20);
    segindex_write(&index, 35, &buf);
    OK(buf_check(&buf, "index", &err));
    unsigned char *bytes = (unsigned char *)buf.data;
    assert_int_equal(buf.len, 3 * RECORD_SIZE + 2 * KNOWN_SIZE + TRAILER_SIZE);
    assert_true(segindex_read(bytes, buf.len, 35 + buf.len, &got));
    assert_int_equal(got.record_count, 3);
    assert_int_equal(got.records[2].off, 30);
    assert_int_equal(got.known[1].origin.bytes[0], 77);
    assert_int_equal(got.known[1].raw.bytes[0], 9);
    assert_int_equal(got.known[1].mask, 0xffff);
    segindex_free(&got);
    assert_false(segindex_read(bytes, buf.len, 36 + buf.len, &got));
    for (size_t i = 0; i < buf.len; i++) {
        bytes[i] ^= 1;
        assert_false(segindex_read(bytes, buf.len, 35 + buf.len, &got));
        bytes[i] ^= 1;
    }
    for (size_t cut = 0; cut < buf.len; cut++)
        assert_false(segindex_read(bytes, cut, 35 + cut, &got));
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    remove_all(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_is_read_back),
        cmocka_unit_test(only_what_is_new),
        cmocka_unit_test(base_is_not_read),
        cmocka_unit_test(files_are_not_read),
        cmocka_unit_test(ahead_of_the_bake),
        cmocka_unit_test(damaged),
        cmocka_unit_test(deleted_in_use),
        cmocka_unit_test(unusable),
        cmocka_unit_test(full_and_read_only),
        cmocka_unit_test(blocks_are_shared),
        cmocka_unit_test(shared),
        cmocka_unit_test(entries_are_bounded),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
