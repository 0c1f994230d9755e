/* unpack_disk() on archives made by the usual tools. */
#include "archives.h"
#include "text/hex.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "unpack/unpack.h"
#include "unpack/unpacking.h"

/* A 64 MiB disk with a partition table's signature, data at both ends and in the middle, and stored zeros. */
static const char make_disk[] = "truncate -s 64M disk.raw\n"
                                "put() { dd of=disk.raw conv=notrunc bs=1 seek=\"$1\" status=none; }\n"
                                "printf '\\x55\\xaa' | put 510\n"
                                "seq 1 200000 | put 1000000\n"
                                "head -c 500000 /dev/zero | put 20000001\n"
                                "seq 1 50000 | put 33554431\n"
                                "printf x | put 67108863\n";

static void is_disk(const struct disk *disk, const char *reference)
{
    char script[128];
    snprintf(script, sizeof script, "cmp %s /proc/%d/fd/%d", reference, getpid(), disk_view_fd(disk));
    shell(script);
}

static void unpacks(const char *name)
{
    struct trusted base;
    artifact(name, &base);
    struct disk first = DISK_EMPTY, second = DISK_EMPTY;
    if (unpack_disk(&base, cache, NULL, NULL, &first, &err) < 0)
        fail_msg("%s: %s", name, err.text);
    assert_int_equal(first.size, 64 << 20);
    is_disk(&first, "disk.raw");
    struct stat st;
    assert_int_equal(fstat(first.fd, &st), 0);
    assert_true(st.st_blocks * 512 < 4000000); /* sparse */
    assert_int_equal(st.st_nlink, 0);
    /* private: writes to one copy appear neither in another nor in the cache */
    OK(disk_write(&first, "changed", 7, 0, &err));
    OK(unpack_disk(&base, cache, NULL, NULL, &second, &err));
    is_disk(&second, "disk.raw");
    disk_close(&first);
    disk_close(&second);
    /* the same with a view of the cache's own file, which is never written to */
    OK(unpack_base(&base, cache, NULL, NULL, NULL, &first, &err));
    OK(unpack_base(&base, cache, NULL, NULL, NULL, &second, &err));
    is_disk(&first, "disk.raw");
    OK(disk_write(&first, "changed", 7, 0, &err));
    is_disk(&second, "disk.raw");
    disk_close(&first);
    disk_close(&second);
    trusted_free(&base);
}

static void refused(const char *name, const char *why)
{
    struct trusted base;
    struct disk disk = DISK_EMPTY;
    artifact(name, &base);
    if (unpack_disk(&base, cache, NULL, NULL, &disk, &err) == 0)
        fail_msg("%s was accepted", name);
    if (err.kind != ERR_VERIFY || !strstr(err.text, why))
        fail_msg("%s: kind %d: %s (wanted: %s)", name, (int)err.kind, err.text, why);
    assert_null(disk.ops);
    trusted_free(&base);
}

static void all_forms(void **state)
{
    (void)state;
    shell(
        "tar --format=oldgnu -Sczf oldgnu-s.tar.gz disk.raw\n"
        "tar --format=gnu -Scf - disk.raw | xz -0 > gnu-s.tar.xz\n"
        "tar --format=gnu -cf - ./disk.raw | bzip2 -1 > gnu.tar.bz2\n"
        "tar --format=pax -Scf - disk.raw | zstd -q > pax-s.tar.zst\n"
        "tar --format=pax --sparse-version=0.0 -Sczf pax00.tar.gz disk.raw\n"
        "tar --format=pax --sparse-version=0.1 -Sczf pax01.tar.gz disk.raw\n"
        "tar --format=ustar -czf ustar.tar.gz --transform s/disk/coreos_production/ disk.raw\n"
        "bsdtar -czf bsd.tar.gz disk.raw\n"
        "tar -cf plain.tar disk.raw; mkdir dot; cp --sparse=always disk.raw dot/; tar -C dot -cf dot.tar .\n"
        "cp disk.raw bare; gzip -1 < disk.raw > bare.gz; xz -0 < disk.raw > bare.xz\n"
        "bzip2 -1 < disk.raw > bare.bz2; zstd -q < disk.raw > bare.zst\n"
        "head -c 30000000 disk.raw | gzip -1 > two.gz; tail -c +30000001 disk.raw | gzip -1 >> two.gz\n"
        "head -c 1000 /dev/zero >> two.gz\n"
        "tar -czf image.bin.tar.gz --transform s/disk.raw/image.bin/ disk.raw");
    static const char *const names[] = {"oldgnu-s.tar.gz", "gnu-s.tar.xz", "gnu.tar.bz2",  "pax-s.tar.zst",
                                        "pax00.tar.gz",    "pax01.tar.gz", "ustar.tar.gz", "bsd.tar.gz",
                                        "plain.tar",       "dot.tar",      "bare",         "bare.gz",
                                        "bare.xz",         "bare.bz2",     "bare.zst",     "two.gz",
                                        "image.bin.tar.gz"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unpacks(names[i]);
}

static void hostile(void **state)
{
    (void)state;
    shell(
        "mkdir h; cd h; cp --sparse=always ../disk.raw .; ln -s /etc/passwd link.raw; ln disk.raw hard.raw\n"
        "mkfifo fifo.raw; mkdir d; cp --sparse=always disk.raw d/; cp --sparse=always disk.raw b.raw; echo x "
        "> note.txt\n"
        "tar -Sczf ../two.tar.gz disk.raw b.raw\n"
        "tar -Sczf ../link.tar.gz link.raw\n"
        "tar -Sczf ../hard.tar.gz disk.raw hard.raw\n"
        "tar -Sczf ../fifo.tar.gz fifo.raw\n"
        "tar -Sczf ../dir.tar.gz d\n"
        "tar -SPczf ../up.tar.gz --transform 's,^,../,' disk.raw\n"
        "tar -SPczf ../abs.tar.gz --transform 's,^,/tmp/,' disk.raw\n"
        "tar -czf ../note.tar.gz note.txt\n"
        "tar -Sczf ../extra.tar.gz disk.raw note.txt\n"
        "tar -czf ../none.tar.gz -T /dev/null; cd ..\n"
        "head -c 100000 /dev/urandom > noise; : > nothing; printf '\\x1f' > one\n"
        "zip -q z.zip disk.raw\n"
        "cp oldgnu-s.tar.gz junk.tar.gz; echo junk >> junk.tar.gz\n"
        "{ tar -Scf - disk.raw; echo more; } | gzip > after.tar.gz\n"
        "truncate -s 1000 small.raw; printf '\\x55\\xaa' | dd of=small.raw bs=1 seek=510 conv=notrunc "
        "status=none\n"
        "tar -czf small.tar.gz small.raw\n"
        "truncate -s 1049000 odd.raw; tar -Sczf odd.tar.gz odd.raw\n"
        "truncate -s 65G big.raw; tar -Sczf big.tar.gz big.raw; rm big.raw");
    refused("two.tar.gz", "a second file");
    refused("link.tar.gz", "a link");
    refused("hard.tar.gz", "a link");
    refused("fifo.tar.gz", "special file");
    refused("dir.tar.gz", "a folder");
    refused("up.tar.gz", "not named");
    refused("abs.tar.gz", "not named");
    refused("note.tar.gz", "not named");
    refused("extra.tar.gz", "not named");
    refused("none.tar.gz", "");
    refused("noise", "neither a disk");
    refused("nothing", "neither a disk");
    refused("one", "neither a disk");
    refused("z.zip", "tar archive or a bare disk");
    refused("junk.tar.gz", "after the end");
    refused("after.tar.gz", "follow the end of its tar");
    refused("small.tar.gz", "1000 bytes");
    refused("odd.tar.gz", "1049000 bytes");
    refused("big.tar.gz", "more than");
}

/* When the cache's disk or the note beside it has changed, the disk is unpacked again and never used. */
static void damaged_in_the_cache(void **state)
{
    (void)state;
    static const char *const damages[] = {"printf x | dd of=$f bs=1 seek=1000005 conv=notrunc status=none",
                                          "truncate -s -512 $f",
                                          "truncate -s 0 $f",
                                          "rm $f",
                                          "touch -d @1 $f",
                                          "cp $f $f.x; mv $f.x $f",
                                          "rm $f.meta",
                                          "echo nonsense > $f.meta"};
    char text[512], key[SHA256_HEX];
    struct trusted base;
    artifact("oldgnu-s.tar.gz", &base);
    hex_encode(base.sha256.bytes, SHA256_SIZE, key);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        struct disk disk = DISK_EMPTY;
        snprintf(text, sizeof text, "f=%s/disk/%s; test -e $f && chmod u+w $f && %s", cache_dir(cache), key,
                 damages[i]);
        shell(text);
        OK(unpack_base(&base, cache, NULL, NULL, NULL, &disk, &err));
        is_disk(&disk, "disk.raw");
        disk_close(&disk);
    }
    trusted_free(&base);
}

/* Far more data, not zeros, than the archive can honestly hold; and endless zeros. */
static void bombs(void **state)
{
    (void)state;
    shell(
        "{ yes || :; } | head -c 100M > y.raw; printf '\\x55\\xaa' | dd of=y.raw bs=1 seek=510 conv=notrunc "
        "status=none\n"
        "tar -cf - y.raw | zstd -q -19 > y.tar.zst; tar -cf - y.raw | bzip2 -9 > y.tar.bz2\n"
        "{ head -c 510 /dev/zero; printf '\\x55\\xaa'; head -c 300M /dev/zero; } | xz -0 > zeros.xz; rm "
        "y.raw");
    refused("y.tar.zst", "bomb");
    refused("y.tar.bz2", "bomb");
    struct trusted base;
    struct disk disk = DISK_EMPTY;
    artifact("zeros.xz", &base);
    const struct unpack_limits limits = {.max_size = 100 << 20};
    assert_int_equal(unpack_disk(&base, cache, &limits, NULL, &disk, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
    trusted_free(&base);
}

/* Truncated at every sixteenth and at the last bytes: always refused. */
static void cut_short(void **state)
{
    (void)state;
    static const char *const names[] = {"oldgnu-s.tar.gz", "gnu-s.tar.xz", "gnu.tar.bz2", "pax-s.tar.zst",
                                        "bare.gz",         "bare.xz",      "bare.bz2",    "bare.zst"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct trusted base;
        artifact(names[i], &base);
        for (unsigned k = 0; k <= 17; k++) {
            struct disk disk = DISK_EMPTY;
            struct trusted cut = base;
            cut.size = k < 16 ? base.size * k / 16 : base.size - (k == 16 ? 9 : 1);
            cut.sha256.bytes[0] ^= 1;
            cut.sha256.bytes[1] = (uint8_t)k;
            if (unpack_disk(&cut, cache, NULL, NULL, &disk, &err) == 0)
                fail_msg("%s cut to %llu of %llu bytes was accepted", names[i], (unsigned long long)cut.size,
                         (unsigned long long)base.size);
            if (err.kind != ERR_VERIFY)
                fail_msg("%s cut at %u/16: %s", names[i], k, err.text);
        }
        trusted_free(&base);
    }
}

/* With one bit changed: an error, or a whole disk where no checksum covers the bit; never a crash. */
static void bit_flips(void **state)
{
    (void)state;
    static const char *const names[] = {"oldgnu-s.tar.gz", "bare.gz", "gnu-s.tar.xz", "gnu.tar.bz2",
                                        "pax-s.tar.zst"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct trusted base;
        artifact(names[i], &base);
        unsigned seen = 0;
        for (unsigned k = 0; k < 24; k++) {
            struct trusted bad = base;
            struct disk disk = DISK_EMPTY;
            unsigned char byte;
            uint64_t at = k < 8 ? k * 2 : base.size * (k - 7) / 18;
            OK(file_scratch(dir, &bad.fd, &err));
            OK(file_copy(base.fd, 0, bad.fd, 0, base.size, NULL, &err));
            OK(file_pread(bad.fd, &byte, 1, at, "x", &err));
            byte ^= (unsigned char)(1U << (k % 8));
            OK(file_pwrite(bad.fd, &byte, 1, at, "x", &err));
            OK(file_sha256(bad.fd, 0, bad.size, NULL, &bad.sha256, &err));
            if (unpack_disk(&bad, cache, NULL, NULL, &disk, &err) < 0) {
                assert_int_equal(err.kind, ERR_VERIFY);
                seen++;
            } else {
                is_disk(&disk, "disk.raw");
                disk_close(&disk);
            }
            close(bad.fd);
        }
        assert_true(seen >= 16);
        trusted_free(&base);
    }
}

static void no_space(void **state)
{
    (void)state;
    struct trusted base;
    struct disk disk = DISK_EMPTY;
    struct rlimit before, low;
    artifact("bare", &base);
    base.sha256.bytes[5] ^= 1; /* not in the cache */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = before;
    low.rlim_cur = 256 << 10;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    int r = unpack_disk(&base, cache, NULL, NULL, &disk, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(r, -1);
    assert_int_equal(err.kind, ERR_SPACE);
    trusted_free(&base);
}

static void interrupted(void **state)
{
    (void)state;
    struct trusted base;
    struct disk disk = DISK_EMPTY;
    volatile sig_atomic_t stop = SIGTERM;
    const struct run run = {.stop = &stop};
    artifact("bare.gz", &base);
    base.sha256.bytes[6] ^= 1;
    assert_int_equal(unpack_disk(&base, cache, NULL, &run, &disk, &err), -1);
    assert_int_equal(err.kind, ERR_INTERRUPTED);
    trusted_free(&base);
}

/* A download of FROM that arrives in small pieces, up to WHOLE bytes of it. */
struct download {
    const struct trusted *from;
    struct progress *progress;
    uint64_t whole;
};

static void *download(void *ctx)
{
    struct download *d = ctx;
    unsigned char bytes[5000];
    struct err why;
    int to = -1;
    if (file_scratch(dir, &to, &why) < 0)
        abort();
    for (uint64_t at = 0; at < d->whole;) {
        size_t len = d->whole - at < sizeof bytes ? (size_t)(d->whole - at) : sizeof bytes;
        if (file_pread(d->from->fd, bytes, len, at, "x", &why) < 0 ||
            file_pwrite(to, bytes, len, at, "x", &why) < 0)
            abort();
        at += len;
        progress_advance(d->progress, to, at);
    }
    progress_end(d->progress, d->whole == d->from->size);
    close(to);
    return NULL;
}

/* Unpacks NAME during its download; RET is what unpacking_end() returned. WANT: the digest in the lock. */
static void while_fetched(const char *name, const struct sha256 *want, uint64_t whole, struct disk *ret,
                          bool *ret_over)
{
    struct trusted base;
    struct progress *from = NULL, *to = NULL;
    struct unpacking *unpacking = NULL;
    struct progress_state state;
    pthread_t thread;
    artifact(name, &base);
    want = want ? want : &base.sha256;
    OK(progress_new(&from, &err));
    OK(progress_new(&to, &err));
    OK(unpacking_begin(want, base.size, from, cache, NULL, to, &unpacking, &err));
    assert_non_null(unpacking);
    struct download d = {&base, from, whole < base.size ? whole : base.size};
    assert_int_equal(pthread_create(&thread, NULL, download, &d), 0);
    pthread_join(thread, NULL);
    OK(unpacking_end(unpacking, whole < base.size ? NULL : &base, ret, &err));
    *ret_over = progress_wait(to, UINT64_MAX, NULL, &state, &err) == 0;
    progress_free(from);
    progress_free(to);
    trusted_free(&base);
}

static void in_the_cache(const struct sha256 *sha256, bool is)
{
    char key[SHA256_HEX];
    int fd = -1;
    hex_encode(sha256->bytes, SHA256_SIZE, key);
    OK(cache_find(cache, "disk", key, &fd, NULL, NULL, &err));
    assert_int_equal(fd >= 0, is);
    cleanup_close_fn(&fd);
}

static void during_the_download(void **state)
{
    (void)state;
    static const char *const names[] = {"coming.tar.gz", "coming.tar.xz", "coming.raw.gz", "coming.raw"};
    struct disk disk = DISK_EMPTY;
    struct trusted base;
    bool over = false;
    /* not those of all_forms, which the cache has */
    shell("cp disk.raw coming.raw; printf y | dd of=coming.raw conv=notrunc bs=1 seek=70000 status=none\n"
          "tar --format=oldgnu -Sczf coming.tar.gz coming.raw\n"
          "tar --format=gnu -Scf - coming.raw | xz -0 >coming.tar.xz\n"
          "gzip -1 <coming.raw >coming.raw.gz");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct sha256 other = {{(uint8_t)i, 77}};
        artifact(names[i], &base);
        if (i != 3) { /* truncated: nothing is kept */
            while_fetched(names[i], NULL, base.size / 2, &disk, &over);
            assert_false(over);
            assert_null(disk.ops);
            in_the_cache(&base.sha256, false);
        }
        /* bytes that differ from the lock: the disk is never returned */
        while_fetched(names[i], &other, UINT64_MAX, &disk, &over);
        assert_false(over);
        assert_null(disk.ops);
        in_the_cache(&base.sha256, false);
        in_the_cache(&other, false);
        while_fetched(names[i], NULL, UINT64_MAX, &disk, &over);
        assert_true(over);
        is_disk(&disk, "coming.raw");
        disk_close(&disk);
        in_the_cache(&base.sha256, true);
        /* it is in the cache now: nothing to do */
        struct unpacking *unpacking = NULL;
        OK(unpacking_begin(&base.sha256, base.size, NULL, cache, NULL, NULL, &unpacking, &err));
        assert_null(unpacking);
        trusted_free(&base);
    }
    shell("head -c 30000 coming.tar.gz >damaged.tar.gz; head -c 30000 /dev/urandom >>damaged.tar.gz");
    while_fetched("damaged.tar.gz", NULL, UINT64_MAX, &disk, &over); /* unpack_base() reports why */
    assert_false(over);
    assert_null(disk.ops);
}

/* The artifact came from the cache, so its progress did not advance, or never will. */
static void nothing_arrives(void **state)
{
    (void)state;
    struct trusted base;
    struct disk disk = DISK_EMPTY;
    struct unpacking *unpacking = NULL;
    struct progress *progress = NULL;
    struct sha256 want = {{99}};
    artifact("bare", &base);
    for (int i = 0; i < 3; i++) {
        volatile sig_atomic_t stop = i == 2 ? SIGINT : 0;
        const struct run run = {.stop = &stop};
        OK(progress_new(&progress, &err));
        OK(unpacking_begin(&want, base.size, progress, cache, &run, NULL, &unpacking, &err));
        if (i == 0)
            progress_end(progress, false);
        int r = unpacking_end(unpacking, i == 1 ? NULL : &base, &disk, &err);
        assert_int_equal(r, i == 2 ? -1 : 0);
        assert_null(disk.ops);
        progress_free(progress);
    }
    assert_int_equal(err.kind, ERR_INTERRUPTED);
    trusted_free(&base);
}

static int disk_set_up(void **state)
{
    (void)state;
    return set_up(make_disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms),
        cmocka_unit_test(hostile),
        cmocka_unit_test(damaged_in_the_cache),
        cmocka_unit_test(bombs),
        cmocka_unit_test(cut_short),
        cmocka_unit_test(bit_flips),
        cmocka_unit_test(no_space),
        cmocka_unit_test(interrupted),
        cmocka_unit_test(during_the_download),
        cmocka_unit_test(nothing_arrives),
    };
    return cmocka_run_group_tests(tests, disk_set_up, tear_down);
}
