#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/blob.h"
#include "disk/disk.h"
#include "io/file.h"
#include "io/proc.h"

static char dir[] = "/tmp/bake-test-file.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static unsigned entries(void)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.' || (e->d_name[1] != '\0' && strcmp(e->d_name, "..") != 0);
    closedir(d);
    return n;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(dir);
}

static char *in_dir(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void a_new_file_appears_whole_or_not_at_all(void **state)
{
    (void)state;
    struct err err = {0};
    struct newfile file = NEWFILE_EMPTY;
    assert_int_equal(newfile_open(&file, in_dir("a"), 0640, &err), 0);
    assert_int_equal(file_write(file.fd, "hello", 5, "a", &err), 0);
    newfile_abort(&file);
    assert_int_equal(entries(), 0);

    mode_t old = umask(077);
    assert_int_equal(file_put(in_dir("a"), "one", 3, 0644, &err), 0);
    assert_int_equal(file_put(in_dir("a"), "two", 3, 0644, &err), 0);
    umask(old);
    assert_int_equal(entries(), 1);
    struct stat st;
    assert_int_equal(stat(in_dir("a"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    cleanup_buf struct buf buf = BUF_INIT(100);
    assert_int_equal(file_read(in_dir("a"), 3, &buf, &err), 0);
    assert_string_equal(buf.data, "two");
    assert_int_equal(file_read(in_dir("a"), 2, &buf, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);

    assert_int_equal(newfile_open(&file, in_dir("a"), 0640, &err), 0);
    assert_int_equal(newfile_commit(&file, true, &err), -1);
    assert_int_equal(err.errnum, EEXIST);
    newfile_abort(&file);
    assert_int_equal(entries(), 1);
    unlink(in_dir("a"));
}

static void a_full_disk_is_said_so(void **state)
{
    (void)state;
    struct err err = {0};
    struct rlimit was, small;
    getrlimit(RLIMIT_FSIZE, &was);
    small = was;
    small.rlim_cur = 1000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    char bytes[2000] = {0};
    int r = file_put(in_dir("b"), bytes, sizeof bytes, 0644, &err);
    setrlimit(RLIMIT_FSIZE, &was);
    assert_int_equal(r, -1);
    assert_int_equal(err.kind, ERR_SPACE);
    assert_int_equal(entries(), 0);
}

static void copies_keep_holes(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_close int a = -1;
    cleanup_close int b = -1;
    assert_int_equal(file_scratch(dir, &a, &err), 0);
    assert_int_equal(file_scratch(dir, &b, &err), 0);
    assert_int_equal(ftruncate(a, 64 << 20), 0);
    assert_int_equal(ftruncate(b, 64 << 20), 0);
    assert_int_equal(file_pwrite(a, "x", 1, 32 << 20, "a", &err), 0);
    assert_int_equal(file_copy(a, 0, b, 0, 64 << 20, NULL, &err), 0);
    struct stat st;
    fstat(b, &st);
    assert_true(st.st_blocks * 512 <= 1 << 20);
    struct sha256 sa, sb;
    assert_int_equal(file_sha256(a, 0, 64 << 20, NULL, &sa, &err), 0);
    assert_int_equal(file_sha256(b, 0, 64 << 20, NULL, &sb, &err), 0);
    assert_true(sha256_equal(&sa, &sb));
    char c;
    assert_int_equal(file_pread(a, &c, 1, 64 << 20, "a", &err), -1);
    assert_int_equal(err.kind, ERR_IO);
}

static void only_regular_files_are_opened(void **state)
{
    (void)state;
    struct err err = {0};
    int fd = -1;
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    assert_int_equal(file_open(in_dir("fifo"), &fd, NULL, &err), -1);
    assert_int_equal(file_open(dir, &fd, NULL, &err), -1);
    assert_int_equal(file_open(in_dir("none"), &fd, NULL, &err), -1);
    assert_int_equal(err.errnum, ENOENT);
    assert_int_equal(fd, -1);
    unlink(in_dir("fifo"));
    assert_int_equal(file_mkdirs(in_dir("x/y/z"), 0700, &err), 0);
    assert_int_equal(file_mkdirs(in_dir("x/y/z"), 0700, &err), 0);
    rmdir(in_dir("x/y/z"));
    rmdir(in_dir("x/y"));
    rmdir(in_dir("x"));
}

/* The size of a file that the kernel generates says nothing about its content. */
static void a_file_that_goes_on_after_its_size_is_seen(void **state)
{
    (void)state;
    struct err err = {0};
    uint64_t size = 1;
    int fd = -1;
    assert_int_equal(file_open("/proc/version", &fd, &size, &err), 0);
    assert_int_equal(size, 0);
    assert_int_equal(file_check_end(fd, size, "/proc/version", &err), -1);
    assert_int_equal(err.kind, ERR_IO);
    assert_non_null(strstr(err.text, "/proc/version holds more than its size of 0 bytes"));
    close(fd);
    fd = open(in_dir("a"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(file_check_end(fd, 0, "a", &err), 0);
    assert_int_equal(write(fd, "abc", 3), 3);
    assert_int_equal(file_check_end(fd, 3, "a", &err), 0);
    assert_int_equal(file_check_end(fd, 2, "a", &err), -1);
    close(fd);
    unlink(in_dir("a"));
}

static void disks_have_bounds(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_disk struct disk disk = DISK_EMPTY;
    assert_int_equal(disk_in_memory(1000, &disk, &err), 0);
    char c = 'x';
    assert_int_equal(disk_write(&disk, &c, 1, 999, &err), 0);
    assert_int_equal(disk_write(&disk, &c, 1, 1000, &err), -1);
    assert_int_equal(err.kind, ERR_LAYOUT);
    assert_int_equal(disk_read(&disk, &c, 1, UINT64_MAX, &err), -1);
    assert_int_equal(disk_grow(&disk, 2000, &err), -1);
    disk_close(&disk);
    int fd;
    assert_int_equal(file_scratch(dir, &fd, &err), 0);
    assert_int_equal(disk_from_fd(fd, &disk, &err), 0);
    assert_int_equal(disk_grow(&disk, 5000, &err), 0);
    assert_int_equal(disk_write(&disk, &c, 1, 4999, &err), 0);
    assert_int_equal(disk_grow(&disk, 10, &err), -1);
}

static void blobs_have_bounds(void **state)
{
    (void)state;
    struct err err = {0};
    struct blob blob;
    char c[4];
    assert_int_equal(blob_from_memory("abc", 3, &blob, &err), 0);
    assert_int_equal(blob_read(&blob, c, 3, 0, &err), 0);
    assert_int_equal(blob_read(&blob, c, 3, 1, &err), -1);
    assert_int_equal(blob_read(&blob, c, 0, 3, &err), 0);
}

static void children_run_and_are_reaped(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_proc_result struct proc_result result = {0};
    const char *const echo[] = {"sh", "-c", "echo out; echo err >&2; exit 3", NULL};
    struct proc_spec spec = {.argv = echo, .stdin_fd = -1, .max_output = 100};
    assert_int_equal(proc_run(&spec, NULL, &result, &err), 0);
    assert_int_equal(result.status, 3);
    assert_string_equal(result.out.data, "out\n");
    assert_string_equal(result.err.data, "err\n");
    proc_result_free(&result);

    const char *const loud[] = {"sh", "-c", "head -c 300000 /dev/zero; kill -9 $$", NULL};
    spec.argv = loud;
    assert_int_equal(proc_run(&spec, NULL, &result, &err), 0);
    assert_int_equal(result.status, 128 + SIGKILL);
    assert_int_equal(result.out.len, 100);
    proc_result_free(&result);

    const char *const slow[] = {"sh", "-c", "sleep 60 & sleep 60", NULL};
    spec.argv = slow;
    spec.timeout_ms = 200;
    assert_int_equal(proc_run(&spec, NULL, &result, &err), -1);
    volatile sig_atomic_t stop = SIGINT;
    struct run run = {.stop = &stop};
    spec.timeout_ms = 0;
    assert_int_equal(proc_run(&spec, &run, &result, &err), -1);
    assert_int_equal(err.kind, ERR_INTERRUPTED);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

/* Services run without PATH, ordinary users of Debian with one without sbin. Folders in PATH come first. */
static void programs_are_found_where_debian_puts_them(void **state)
{
    (void)state;
    struct err err = {0};
    static const char *const paths[] = {NULL, "", ":", "/nonexistent", "/usr/bin:/bin", ".:relative"};
    const char *const argv[] = {"sh", "-c", "echo \"$PATH\"; command -v ldconfig", NULL};
    const struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .max_output = 1000};
    char *before = strdup(getenv("PATH"));
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        cleanup_proc_result struct proc_result result = {0};
        int r = paths[i] ? setenv("PATH", paths[i], 1) : unsetenv("PATH");
        assert_int_equal(r, 0);
        assert_int_equal(proc_run(&spec, NULL, &result, &err), 0);
        assert_non_null(strstr(result.out.data, PROC_USUAL_PATH "\n"));
        assert_non_null(strstr(result.out.data, "sbin/ldconfig"));
        assert_null(strstr(result.out.data, "relative"));
    }
    setenv("PATH", before, 1);
    free(before);
}

static void a_missing_program_is_named_with_its_package(void **state)
{
    (void)state;
    struct err err = {0};
    struct proc_result result = {0};
    const char *const none[] = {"no-such-program-here", NULL};
    struct proc_spec spec = {.argv = none, .package = "some-package", .stdin_fd = -1};
    assert_int_equal(proc_run(&spec, NULL, &result, &err), -1);
    assert_int_equal(err.kind, ERR_IO);
    assert_int_equal(err.errnum, ENOENT);
    assert_non_null(
        strstr(err.text, "no-such-program-here is not installed (Debian: apt-get install some-package)"));

    /* in the current folder, or not a program: not used */
    assert_int_equal(file_put(in_dir("no-such-program-here"), "#!/bin/sh\n", 10, 0644, &err), 0);
    char *before = strdup(getenv("PATH")), cwd[4096];
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_int_equal(chdir(dir), 0);
    setenv("PATH", ".:", 1);
    assert_int_equal(proc_run(&spec, NULL, &result, &err), -1);
    assert_int_equal(err.errnum, ENOENT);
    setenv("PATH", dir, 1);
    assert_int_equal(proc_run(&spec, NULL, &result, &err), -1);
    assert_int_equal(err.errnum, EACCES);
    setenv("PATH", before, 1);
    free(before);
    assert_int_equal(chdir(cwd), 0);
    unlink(in_dir("no-such-program-here"));
}

static void a_home_needs_no_variable(void **state)
{
    (void)state;
    struct err err = {0};
    char *before = strdup(getenv("HOME") ? getenv("HOME") : "");
    static const char *const values[] = {NULL, "", "relative/home"};
    const struct passwd *entry = getpwuid(geteuid());
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        cleanup_free char *home = NULL;
        int r = values[i] ? setenv("HOME", values[i], 1) : unsetenv("HOME");
        assert_int_equal(r, 0);
        assert_int_equal(file_home(&home, &err), 0);
        if (entry)
            assert_string_equal(home, entry->pw_dir);
        else
            assert_null(home);
    }
    cleanup_free char *home = NULL;
    setenv("HOME", "/some/where", 1);
    assert_int_equal(file_home(&home, &err), 0);
    assert_string_equal(home, "/some/where");
    setenv("HOME", before, 1);
    free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_file_appears_whole_or_not_at_all),
        cmocka_unit_test(a_full_disk_is_said_so),
        cmocka_unit_test(copies_keep_holes),
        cmocka_unit_test(only_regular_files_are_opened),
        cmocka_unit_test(a_file_that_goes_on_after_its_size_is_seen),
        cmocka_unit_test(disks_have_bounds),
        cmocka_unit_test(blobs_have_bounds),
        cmocka_unit_test(children_run_and_are_reaped),
        cmocka_unit_test(programs_are_found_where_debian_puts_them),
        cmocka_unit_test(a_missing_program_is_named_with_its_package),
        cmocka_unit_test(a_home_needs_no_variable),
    };
    return cmocka_run_group_tests_name("io", tests, set_up, tear_down);
}
