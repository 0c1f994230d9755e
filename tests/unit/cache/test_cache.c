/* The cache: what one run stores and finds, and what it does with damage and bounds. Several processes on one
 * cache are in test_cache_procs.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache_rig.h"

static void an_entry_is_found_after_commit_only(void **state)
{
    struct cache_rig *rig = *state;
    struct err err = {0};
    int fd = 7;
    assert_int_equal(cache_find(rig->cache, "download", "k", &fd, NULL, NULL, &err), 0);
    assert_int_equal(fd, -1);

    struct cache_entry entry = CACHE_ENTRY_EMPTY;
    assert_int_equal(cache_begin(rig->cache, "download", "k", &entry, NULL, &err), 0);
    assert_int_equal(entry.found_fd, -1);
    assert_int_equal(file_write(entry.fd, "half", 4, "k", &err), 0);
    assert_int_equal(rig_find(rig, "download", "k"), -1);
    cache_abort(&entry);
    assert_int_equal(rig_find(rig, "download", "k"), -1);
    assert_int_equal(rig_files(rig, "download"), 0);

    rig_store(rig, "download", "k", "whole");
    struct sha256 sha256, want;
    assert_int_equal(sha256_of("whole", 5, &want, &err), 0);
    assert_int_equal(cache_find(rig->cache, "download", "k", &fd, &sha256, NULL, &err), 0);
    rig_expect(fd, "whole");
    assert_true(sha256_equal(&sha256, &want));
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    close(fd);
    assert_int_equal(rig_files(rig, "download"), 2); /* content and note: the lock is gone */
}

static void begin_finds_what_is_there_and_anew_replaces_it(void **state)
{
    struct cache_rig *rig = *state;
    struct err err = {0};
    rig_store(rig, "url", "k", "old");
    struct cache_entry entry = CACHE_ENTRY_EMPTY;
    assert_int_equal(cache_begin(rig->cache, "url", "k", &entry, NULL, &err), 0);
    assert_int_equal(entry.fd, -1);
    rig_expect(entry.found_fd, "old");
    cache_abort(&entry);

    assert_int_equal(cache_begin_anew(rig->cache, "url", "k", &entry, NULL, &err), 0);
    assert_int_equal(entry.found_fd, -1);
    rig_commit(&entry, "new");
    int fd = rig_find(rig, "url", "k");
    rig_expect(fd, "new");
    close(fd);
    assert_int_equal(rig_files(rig, "url"), 2);
}

static void a_named_file_is_adopted(void **state)
{
    struct cache_rig *rig = *state;
    struct err err = {0};
    assert_int_equal(mkdirat(cache_dir_fd(rig->cache), "partial", 0700), 0);
    int fd = openat(cache_dir_fd(rig->cache), "partial/x", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    struct cache_entry entry = CACHE_ENTRY_EMPTY;
    assert_int_equal(cache_begin(rig->cache, "download", "k", &entry, NULL, &err), 0);
    assert_int_equal(cache_adopt(&entry, fd, "partial/x", &err), 0);
    rig_commit(&entry, "came in pieces");
    fd = rig_find(rig, "download", "k");
    rig_expect(fd, "came in pieces");
    close(fd);
    assert_int_equal(rig_files(rig, "partial"), 0);
}

static void a_removed_entry_stays_readable_for_who_has_it(void **state)
{
    struct cache_rig *rig = *state;
    struct err err = {0};
    rig_store(rig, "base", "k", "still here");
    int fd = rig_find(rig, "base", "k");
    assert_int_equal(cache_drop(rig->cache, "base", "k", NULL, &err), 0);
    assert_int_equal(rig_find(rig, "base", "k"), -1);
    rig_expect(fd, "still here");
    close(fd);
    assert_int_equal(cache_drop(rig->cache, "base", "k", NULL, &err), 0);
}

static void damage(struct cache_rig *rig, const char *rel, const char *bytes, bool truncate)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", rig->dir, rel);
    assert_int_equal(chmod(path, 0600), 0);
    int fd = open(path, O_WRONLY | (truncate ? O_TRUNC : 0));
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, strlen(bytes)), (int)strlen(bytes));
    close(fd);
}

static void a_damaged_entry_is_dropped(void **state)
{
    struct cache_rig *rig = *state;
    static const struct {
        const char *file, *bytes;
        bool truncate, survives;
    } cases[] = {
        {"base/k", "cu", true, false},
        {"base/k", "", true, false},
        {"base/k", "CONTENT and more", 0, 0},
        {"base/k", "Content", false, false},
        {"base/k", "content", false, true}, /* rewritten with the same bytes: hashed, kept */
        {"base/k.meta", "", true, false},
        {"base/k.meta", "bake-cache-entry 1\n", true, false},
        {"base/k.meta", "xxxx", false, false},
        {"base/k.meta", "bake-cache-entry 1\nsha256 00\n", true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rig_store(rig, "base", "k", "content");
        damage(rig, cases[i].file, cases[i].bytes, cases[i].truncate);
        int fd = rig_find(rig, "base", "k");
        if ((fd >= 0) != cases[i].survives)
            fail_msg("case %zu: found %d", i, fd);
        if (fd >= 0) {
            rig_expect(fd, "content");
            close(fd);
        }
        assert_int_equal(rig_files(rig, "base"), cases[i].survives ? 2 : 0);
    }
}

static void recheck_sees_what_identity_cannot(void **state)
{
    struct cache_rig *rig = *state;
    struct err err = {0};
    rig_store(rig, "base", "k", "content");
    /* bytes decay under an unchanged inode: here the note is changed to vouch for other bytes */
    struct cache_meta meta;
    assert_true(cache_meta_read(rig->cache, "base", "k", &meta));
    meta.sha256.bytes[0] ^= 1;
    assert_int_equal(cache_meta_write(rig->cache, "base", "k", &meta, &err), 0);
    int fd = rig_find(rig, "base", "k");
    assert_true(fd >= 0);
    close(fd);
    rig->cache->recheck = true;
    assert_int_equal(rig_find(rig, "base", "k"), -1);
    assert_int_equal(rig_files(rig, "base"), 0);
    rig_store(rig, "base", "k", "content");
    fd = rig_find(rig, "base", "k");
    assert_true(fd >= 0);
    close(fd);
}

static void store_block(struct cache_rig *rig, const char *key)
{
    char block[8192];
    memset(block, 'x', sizeof block);
    block[sizeof block - 1] = '\0';
    rig_store(rig, "segment", key, block);
    usleep(12000); /* the order of use has the kernel's clock tick as its unit */
}

static void trimming_takes_the_least_recently_used(void **state)
{
    struct cache_rig *rig = *state;
    struct err err = {0};
    store_block(rig, "a");
    store_block(rig, "b");
    store_block(rig, "c");
    store_block(rig, "d");
    int a = rig_find(rig, "segment", "a"); /* used again: now the youngest */
    close(a);
    /* content, its note and the folders, as du counts them */
    rig->cache->max_bytes = (uint64_t)2 * (8192 + 4096) + (uint64_t)2 * 4096;
    assert_int_equal(cache_trim(rig->cache, &err), 0);
    a = rig_find(rig, "segment", "a");
    int d = rig_find(rig, "segment", "d");
    assert_true(a >= 0 && d >= 0);
    close(a);
    close(d);
    assert_int_equal(rig_find(rig, "segment", "b"), -1);
    assert_int_equal(rig_find(rig, "segment", "c"), -1);
    assert_int_equal(rig_files(rig, "segment"), 4);
}

static void trimming_spares_what_this_run_used(void **state)
{
    struct cache_rig *rig = *state;
    struct err err = {0};
    store_block(rig, "old");
    store_block(rig, "reused");
    store_block(rig, "idle");
    assert_int_equal(clock_gettime(CLOCK_REALTIME_COARSE, &rig->cache->keep_since), 0);
    store_block(rig, "new");
    int fd = rig_find(rig, "segment", "reused");
    close(fd);
    rig->cache->max_bytes = 1;
    assert_int_equal(cache_trim(rig->cache, &err), 0);
    assert_int_equal(rig_find(rig, "segment", "old"), -1);
    assert_int_equal(rig_find(rig, "segment", "idle"), -1);
    assert_int_equal(rig_files(rig, "segment"), 4); /* "new" and "reused", though no process has them open */
    /* for a later run they are old */
    rig->cache->keep_since.tv_sec += 3600;
    assert_int_equal(cache_trim(rig->cache, &err), 0);
    assert_int_equal(rig_files(rig, "segment"), 0);
}

/* Small entries use most of their space beside their content. */
static void trimming_counts_notes_and_folders(void **state)
{
    struct cache_rig *rig = *state;
    struct err err = {0};
    char key[16];
    for (int i = 0; i < 64; i++) {
        snprintf(key, sizeof key, "%d", i);
        rig_store(rig, "segment", key, "x");
    }
    rig->cache->max_bytes = (uint64_t)64 * 4096; /* enough for the contents alone */
    assert_int_equal(cache_trim(rig->cache, &err), 0);
    assert_true(rig_files(rig, "segment") <= 64);
    assert_true(rig_files(rig, "segment") >= 60); /* of 32 entries less the folders' share */
}

static void half_of_the_file_system_is_a_bound(void **state)
{
    struct cache_rig *rig = *state;
    struct err err = {0};
    struct statvfs fs;
    assert_int_equal(statvfs(rig->dir, &fs), 0);
    uint64_t half = (uint64_t)fs.f_blocks * fs.f_frsize / 2;
    const struct {
        struct cache_options options;
        uint64_t bound;
    } cases[] = {
        {{.dir = rig->dir, .max_bytes = UINT64_MAX - 1, .at_most_half = true}, half},
        {{.dir = rig->dir, .max_bytes = 4096, .at_most_half = true}, 4096},
        {{.dir = rig->dir, .max_bytes = UINT64_MAX - 1}, UINT64_MAX - 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cache *cache = NULL;
        assert_int_equal(cache_open(&cases[i].options, &cache, &err), 0);
        assert_true(cache->max_bytes == cases[i].bound);
        cache_close(cache);
    }
}

static void trimming_spares_what_is_in_use(void **state)
{
    struct cache_rig *rig = *state;
    struct err err = {0};
    store_block(rig, "read");
    store_block(rig, "locked");
    store_block(rig, "idle");
    int fd = rig_find(rig, "segment", "read");
    int lock = -1;
    assert_int_equal(cache_try_lock(rig->cache, "segment", "locked", &lock, &err), 0);
    assert_true(lock >= 0);
    rig->cache->max_bytes = 1;
    assert_int_equal(cache_trim(rig->cache, &err), 0);
    assert_int_equal(rig_find(rig, "segment", "idle"), -1);
    int again = rig_find(rig, "segment", "read");
    assert_true(again >= 0);
    close(again);
    close(fd);
    again = rig_find(rig, "segment", "locked");
    assert_true(again >= 0);
    close(again);
    cache_unlock(rig->cache, "segment", "locked", &lock);
    assert_int_equal(cache_trim(rig->cache, &err), 0);
    assert_int_equal(rig_files(rig, "segment"), 0);
}

static void old_partial_downloads_go_and_young_ones_stay(void **state)
{
    struct cache_rig *rig = *state;
    struct err err = {0};
    char path[512];
    assert_int_equal(mkdirat(cache_dir_fd(rig->cache), "partial", 0700), 0);
    const char *names[] = {"young", "old", "new.dead"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/partial/%s", rig->dir, names[i]);
        assert_int_equal(file_put(path, "part", 4, 0600, &err), 0);
        struct timespec week_ago[2] = {{.tv_sec = time(NULL) - 8 * 24 * 3600},
                                       {.tv_sec = time(NULL) - 8 * 24 * 3600}};
        if (i == 1)
            assert_int_equal(utimensat(AT_FDCWD, path, week_ago, 0), 0);
    }
    assert_int_equal(cache_trim(rig->cache, &err), 0);
    assert_int_equal(rig_files(rig, "partial"), 1);
    snprintf(path, sizeof path, "%s/partial/young", rig->dir);
    assert_int_equal(access(path, F_OK), 0);
}

static void what_killed_processes_left_is_swept(void **state)
{
    struct cache_rig *rig = *state;
    struct err err = {0};
    static const char *const left[] = {"whole.lock", "whole.meta~", "gone.lock",
                                       "gone.meta",  "bare",        "bare.meta~"};
    char path[512];
    rig_store(rig, "base", "whole", "content");
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        snprintf(path, sizeof path, "%s/base/%s", rig->dir, left[i]);
        assert_int_equal(file_put(path, "x", 1, 0600, &err), 0);
    }
    assert_int_equal(cache_trim(rig->cache, &err), 0);
    assert_int_equal(rig_files(rig, "base"), 2);
    int fd = rig_find(rig, "base", "whole");
    rig_expect(fd, "content");
    close(fd);
}

static void bad_names_are_refused(void **state)
{
    struct cache_rig *rig = *state;
    struct err err = {0};
    const char *const bad[][2] = {{"", "k"},          {"..", "k"},      {"a/b", "k"},  {"base", ""},
                                  {"base", ".."},     {"base", "../k"}, {"base", "A"}, {"base", "k.meta"},
                                  {"base", "k.lock"}, {"base", "k~"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int fd = 7;
        assert_int_equal(cache_find(rig->cache, bad[i][0], bad[i][1], &fd, NULL, NULL, &err), -1);
        assert_int_equal(err.kind, ERR_INTERNAL);
        assert_int_equal(fd, 7);
    }
}

static void a_cache_of_others_is_refused(void **state)
{
    struct cache_rig *rig = *state;
    struct err err = {0};
    struct cache *other = NULL;
    struct cache_options options = {.dir = rig->dir};
    assert_int_equal(chmod(rig->dir, 0755), 0);
    assert_int_equal(cache_open(&options, &other, &err), -1);
    assert_int_equal(err.kind, ERR_IO);
    assert_non_null(strstr(err.text, "chmod 700"));
    assert_int_equal(chmod(rig->dir, 0700), 0);
    options.dir = "relative";
    assert_int_equal(cache_open(&options, &other, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    if (geteuid() != 0)
        return; /* giving files away needs root */
    options.dir = rig->dir;
    assert_int_equal(chown(rig->dir, 65534, 65534), 0);
    assert_int_equal(cache_open(&options, &other, &err), -1);
    assert_non_null(strstr(err.text, "belongs to user 65534"));
    assert_int_equal(chown(rig->dir, 0, 0), 0);
    assert_null(other);
}

static int read_only_child(struct cache_rig *rig)
{
    struct err err = {0};
    if (geteuid() == 0 && setuid(65534) < 0)
        return 1;
    struct cache *cache = NULL;
    struct cache_options options = {.dir = rig->dir, .max_bytes = 1};
    if (cache_open(&options, &cache, &err) < 0)
        return 2;
    int fd = -1;
    if (cache_find(cache, "base", "k", &fd, NULL, NULL, &err) < 0 || fd < 0)
        return 3;
    if (cache_find(cache, "base", "doubted", &fd, NULL, NULL, &err) < 0 || fd >= 0)
        return 4;
    struct cache_entry entry = CACHE_ENTRY_EMPTY;
    if (cache_begin(cache, "base", "other", &entry, NULL, &err) == 0 || err.kind != ERR_IO)
        return 5;
    cache_close(cache);
    return 0;
}

static void a_read_only_cache_serves_what_it_has(void **state)
{
    struct cache_rig *rig = *state;
    char base[512];
    rig_store(rig, "base", "k", "content");
    rig_store(rig, "base", "doubted", "content");
    damage(rig, "base/doubted", "cut", true);
    snprintf(base, sizeof base, "%s/base", rig->dir);
    if (geteuid() == 0)
        rig_chown(rig, 65534);
    assert_int_equal(chmod(base, 0500), 0);
    assert_int_equal(chmod(rig->dir, 0500), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(read_only_child(rig));
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(chmod(rig->dir, 0700), 0);
    assert_int_equal(chmod(base, 0700), 0);
    if (geteuid() == 0)
        rig_chown(rig, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A file system without room for the note (inodes) or for the content (blocks): needs root for the mount. */
static int full_disk_child(struct cache_rig *rig, const char *mount_options, size_t bytes)
{
    struct err err = {0};
    char dir[512];
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", rig->dir, "tmpfs", 0, mount_options) < 0)
        return 77;
    snprintf(dir, sizeof dir, "%s/cache", rig->dir);
    struct cache *cache = NULL;
    struct cache_options options = {.dir = dir};
    if (cache_open(&options, &cache, &err) < 0)
        return 2;
    struct cache_entry entry = CACHE_ENTRY_EMPTY;
    int fd = -1;
    struct sha256 sha256 = {0};
    char block[65536] = {0};
    int failed = cache_begin(cache, "base", "k", &entry, NULL, &err);
    for (size_t done = 0; failed == 0 && done < bytes; done += sizeof block)
        failed = file_write(entry.fd, block, sizeof block, "k", &err);
    if (failed == 0)
        failed = cache_commit(&entry, &sha256, &fd, &err);
    if (failed == 0 || err.kind != ERR_SPACE)
        return 3;
    cache_abort(&entry);
    if (cache_find(cache, "base", "k", &fd, NULL, NULL, &err) < 0 || fd >= 0)
        return 4;
    cache_close(cache);
    return 0;
}

static void a_full_disk_leaves_no_entry(void **state)
{
    struct cache_rig *rig = *state;
    if (geteuid() != 0)
        skip(); /* the mount needs root; the limit on file size below does not */
    static const struct {
        const char *options;
        size_t bytes;
    } cases[] = {
        {"size=256k,mode=0755", 1 << 20}, {"nr_inodes=4,mode=0755", 65536}, {"nr_inodes=5,mode=0755", 65536}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(full_disk_child(rig, cases[i].options, cases[i].bytes));
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            skip();
        assert_int_equal(status, 0);
    }
}

static void a_limit_on_file_size_is_no_space(void **state)
{
    struct cache_rig *rig = *state;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
        struct err err = {0};
        char block[8192] = {0};
        signal(SIGXFSZ, SIG_IGN);
        struct cache_entry entry = CACHE_ENTRY_EMPTY;
        if (setrlimit(RLIMIT_FSIZE, &limit) < 0 ||
            cache_begin(rig->cache, "base", "k", &entry, NULL, &err) < 0)
            _exit(1);
        if (file_write(entry.fd, block, sizeof block, "k", &err) == 0 || err.kind != ERR_SPACE)
            _exit(2);
        cache_abort(&entry);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(rig_files(rig, "base"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_entry_is_found_after_commit_only, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(an_entry_is_found_after_commit_only, rig_up_named, rig_down),
        cmocka_unit_test_setup_teardown(begin_finds_what_is_there_and_anew_replaces_it, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(begin_finds_what_is_there_and_anew_replaces_it, rig_up_named,
                                        rig_down),
        cmocka_unit_test_setup_teardown(a_named_file_is_adopted, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(a_removed_entry_stays_readable_for_who_has_it, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(a_damaged_entry_is_dropped, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(recheck_sees_what_identity_cannot, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(trimming_takes_the_least_recently_used, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(trimming_spares_what_this_run_used, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(trimming_counts_notes_and_folders, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(half_of_the_file_system_is_a_bound, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(trimming_spares_what_is_in_use, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(old_partial_downloads_go_and_young_ones_stay, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(what_killed_processes_left_is_swept, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(bad_names_are_refused, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(a_cache_of_others_is_refused, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(a_read_only_cache_serves_what_it_has, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_no_entry, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(a_limit_on_file_size_is_no_space, rig_up, rig_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
