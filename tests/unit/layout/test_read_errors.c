/* A failed read must not look like something missing: whichever read fails, the layout is right or
 * refused. */
/* The fortified read() of the headers is an inline function, which cannot be replaced. */
#undef _FORTIFY_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/proc.h"
#include "layout/layout.h"
#include "layout/probe.h"

static char dir[] = "/tmp/bake-test-read.XXXXXX";

/* The program's read() and pread() replace the C library's, for libblkid and libext2fs as well. */
static unsigned reads_left; /* the read after this many fails; 0: none does */
static bool failed;

static bool fails(void)
{
    if (reads_left == 0 || --reads_left > 0)
        return false;
    errno = EIO;
    failed = true;
    return true;
}

ssize_t read(int fd, void *bytes, size_t len)
{
    return fails() ? -1 : syscall(SYS_read, fd, bytes, len);
}

ssize_t pread(int fd, void *bytes, size_t len, off_t off)
{
    return fails() ? -1 : syscall(SYS_pread64, fd, bytes, len, off);
}

static int shell(const char *script)
{
    struct err err = {0};
    const char *const argv[] = {"bash", "-c", script, "sh", dir, NULL};
    struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .max_output = 4096};
    cleanup_proc_result struct proc_result result = {0};
    return proc_run(&spec, NULL, &result, &err) < 0 || result.status != 0 ? -1 : 0;
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) && shell("tests/support/minidisk \"$1/disk\"") == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return shell("rm -r \"$1\"");
}

static struct disk open_disk(int flags)
{
    char path[64];
    struct err err = {0};
    struct disk disk = DISK_EMPTY;
    snprintf(path, sizeof path, "%s/disk", dir);
    int fd = open(path, flags | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(disk_from_fd(fd, &disk, &err), 0);
    return disk;
}

static void whichever_read_fails_the_layout_is_right_or_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct layout want, found;
    cleanup_disk struct disk disk = open_disk(O_RDONLY);
    assert_int_equal(layout_read(&disk, NULL, &want, &err), 0);
    assert_string_equal(want.os_version, "2512.3.0");
    unsigned refused = 0, n = 0;
    do {
        err = (struct err){0};
        memset(&found, 0, sizeof found);
        failed = false;
        reads_left = ++n;
        int r = layout_read(&disk, NULL, &found, &err);
        reads_left = 0;
        if (r == 0 && memcmp(&found, &want, sizeof want) != 0)
            fail_msg("read %u failed, and the layout is another one (version \"%s\")", n, found.os_version);
        refused += r < 0;
    } while (failed);
    assert_true(refused > 50);
}

static void a_partition_that_cannot_be_read_is_not_an_empty_one(void **state)
{
    (void)state;
    struct err err = {0};
    struct layout layout;
    cleanup_disk struct disk good = open_disk(O_RDONLY);
    assert_int_equal(layout_read(&good, NULL, &layout, &err), 0);
    cleanup_disk struct disk disk = open_disk(O_WRONLY);
    for (unsigned i = 0; i < layout.partition_count; i++) {
        err = (struct err){0};
        assert_int_equal(probe_partition(&disk, &layout.partitions[i], &err), -1);
        assert_int_equal(err.kind, ERR_IO);
        assert_non_null(strstr(err.text, layout.partitions[i].label));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whichever_read_fails_the_layout_is_right_or_refused),
        cmocka_unit_test(a_partition_that_cannot_be_read_is_not_an_empty_one),
    };
    return cmocka_run_group_tests_name("layout, read errors", tests, set_up, tear_down);
}
