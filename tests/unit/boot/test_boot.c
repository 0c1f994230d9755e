/* Verdicts on real guests: boot sectors that write to the serial port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "boot/boot.h"
#include "boot/qemu.h"
#include "tests/support/lib/sector.h"

static struct err err;

static struct boot_options options(int disk_fd)
{
    return (struct boot_options){.disk_fd = disk_fd,
                                 .cpus = 1,
                                 .memory_mib = 128,
                                 .timeout_s = 60,
                                 .relay = "/bin/true",
                                 .serial_fd = -1,
                                 .metadata = {.name = "n",
                                              .hostname = "n.c.p.internal",
                                              .id = 1,
                                              .zone = "z",
                                              .machine_type = "t",
                                              .ip = GUEST_IP,
                                              .gateway = GUEST_GATEWAY,
                                              .netmask = GUEST_NETMASK,
                                              .mac = GUEST_MAC,
                                              .project_id = "p",
                                              .project_number = 1}};
}

/* No guest may outlive its test. */
static void none_left(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void collect(void *ctx, double seconds, const char *line)
{
    assert_true(seconds >= 0);
    buf_printf(ctx, "%s|", line);
}

static void pass_ends_it_well(void **state)
{
    (void)state;
    static const char text[] = "Linux version 6\r\nsystemd[1]: Started x.\r\nbake-report: kubelet active\r\n"
                               "\033[2Jlogin: bake-report: PASS\r\n";
    cleanup_close int disk = sector_disk(text, SECTOR_HALT), log = memfd_create("log", MFD_CLOEXEC);
    cleanup_boot_result struct boot_result result = {0};
    struct buf lines = BUF_INIT(1 << 16);
    struct boot_options opt = options(disk);
    opt.serial_fd = log;
    opt.line = collect;
    opt.ctx = &lines;
    if (boot_test(&opt, NULL, &result, &err) < 0)
        fail_msg("%s", err.text);
    none_left();
    assert_true(result.passed);
    assert_int_equal(result.report_count, 2);
    assert_string_equal(result.reports[0], "kubelet active");
    assert_string_equal(result.reports[1], "PASS");
    assert_true(result.console_s > 0 && result.kernel_s >= result.console_s &&
                result.unit_s >= result.kernel_s);
    assert_true(result.report_s >= result.unit_s && result.total_s >= result.report_s);
    assert_non_null(strstr(lines.data, "|login: bake-report: PASS|"));
    /* the file holds the raw console, with its escapes */
    struct stat st;
    char raw[1024] = "";
    assert_int_equal(fstat(log, &st), 0);
    assert_true(pread(log, raw, sizeof raw - 1, 0) > 0);
    assert_non_null(strstr(raw, "\033[2Jlogin: "));
    buf_free(&lines);
}

static void ends_badly(const char *text, enum sector_after after, unsigned timeout_s, const char *why)
{
    cleanup_close int disk = sector_disk(text, after);
    cleanup_boot_result struct boot_result result = {0};
    struct boot_options opt = options(disk);
    opt.timeout_s = timeout_s;
    err = (struct err){0};
    assert_int_equal(boot_test(&opt, NULL, &result, &err), -1);
    none_left();
    assert_int_equal(err.kind, ERR_TEST);
    if (!strstr(err.text, why))
        fail_msg("\"%s\" does not say \"%s\"", err.text, why);
    assert_false(result.passed);
    assert_true(result.tail_count > 0);
    assert_string_equal(result.tail[result.tail_count - 1], "the last line");
}

static void fail_gives_the_reason(void **state)
{
    (void)state;
    ends_badly("bake-report: FAIL etcd: \033]0;x\007 no\nthe last line\n", SECTOR_HALT, 60,
               "etcd: \\x1b]0;x\\x07 no");
    ends_badly("bake-report: FAIL\nthe last line", SECTOR_HALT, 60, "no reason given");
}

static void panic_ends_it_at_once(void **state)
{
    (void)state;
    ends_badly("[ 1.0] Kernel panic - not syncing: VFS\nthe last line\n", SECTOR_HALT, 60,
               "not syncing: VFS");
}

static void silence_ends_with_the_time(void **state)
{
    (void)state;
    ends_badly("bake-report: PASSED?\nthe last line", SECTOR_HALT, 4, "within 4 s");
}

static void going_off_is_no_pass(void **state)
{
    (void)state;
    ends_badly("bake-report: etcd active\nthe last line", SECTOR_RESET, 60, "without a report");
}

static void report_without_newline_at_the_end_counts(void **state)
{
    (void)state;
    cleanup_close int disk = sector_disk("bake-report: PASS", SECTOR_RESET);
    cleanup_boot_result struct boot_result result = {0};
    struct boot_options opt = options(disk);
    assert_int_equal(boot_test(&opt, NULL, &result, &err), 0);
    assert_true(result.passed);
    none_left();
}

static void tail_is_the_last_screen(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1024);
    for (int i = 1; i <= 60; i++)
        buf_printf(&text, "l %d\n", i);
    cleanup_close int disk = sector_disk(text.data, SECTOR_RESET);
    cleanup_boot_result struct boot_result result = {0};
    struct boot_options opt = options(disk);
    assert_int_equal(boot_test(&opt, NULL, &result, &err), -1);
    assert_int_equal(result.tail_count, BOOT_TAIL_LINES);
    assert_string_equal(result.tail[0], "l 37");
    assert_string_equal(result.tail[BOOT_TAIL_LINES - 1], "l 60");
    buf_free(&text);
}

static void disk_stays_as_it_is(void **state)
{
    (void)state;
    cleanup_close int disk = sector_disk("bake-report: PASS\n", SECTOR_HALT);
    cleanup_boot_result struct boot_result result = {0};
    struct boot_options opt = options(disk);
    assert_int_equal(boot_test(&opt, NULL, &result, &err), 0);
    unsigned char second[512], zeros[512] = {0};
    struct stat st;
    assert_int_equal(fstat(disk, &st), 0);
    assert_int_equal(st.st_size, 1 << 20);
    assert_int_equal(pread(disk, second, sizeof second, 512), sizeof second);
    assert_memory_equal(second, zeros, sizeof second);
}

static void interrupt_stops_the_guest(void **state)
{
    (void)state;
    static const volatile sig_atomic_t stop = SIGTERM;
    const struct run run = {.stop = &stop};
    cleanup_close int disk = sector_disk("x\n", SECTOR_HALT);
    cleanup_boot_result struct boot_result result = {0};
    struct boot_options opt = options(disk);
    assert_int_equal(boot_test(&opt, &run, &result, &err), -1);
    assert_int_equal(err.kind, ERR_INTERRUPTED);
    none_left();
}

/* QEMU's own errors reach the user, and do not count as the image's failure. */
static void qemu_failing_is_no_verdict(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    cleanup_close int read_end = ends[0], write_end = ends[1];
    cleanup_boot_result struct boot_result result = {0};
    struct boot_options opt = options(read_end);
    err = (struct err){0};
    assert_true(write_end >= 0);
    assert_int_equal(boot_test(&opt, NULL, &result, &err), -1);
    assert_int_equal(err.kind, ERR_IO);
    assert_non_null(strstr(err.text, "QEMU ended with status 1: qemu-system-x86_64: "));
    none_left();
}

static void limits_are_checked_first(void **state)
{
    (void)state;
    cleanup_boot_result struct boot_result result = {0};
    struct boot_options opt = options(3);
    opt.timeout_s = BOOT_TIMEOUT_MAX_S + 1;
    assert_int_equal(boot_test(&opt, NULL, &result, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    opt = options(3);
    opt.metadata.name = "a/b";
    assert_int_equal(boot_test(&opt, NULL, &result, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pass_ends_it_well),
        cmocka_unit_test(fail_gives_the_reason),
        cmocka_unit_test(panic_ends_it_at_once),
        cmocka_unit_test(silence_ends_with_the_time),
        cmocka_unit_test(going_off_is_no_pass),
        cmocka_unit_test(report_without_newline_at_the_end_counts),
        cmocka_unit_test(tail_is_the_last_screen),
        cmocka_unit_test(disk_stays_as_it_is),
        cmocka_unit_test(interrupt_stops_the_guest),
        cmocka_unit_test(qemu_failing_is_no_verdict),
        cmocka_unit_test(limits_are_checked_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
