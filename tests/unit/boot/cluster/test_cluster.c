/* Failures of a cluster test, on real guests: boot sectors that write to the serial port;
 * tests/boot/nodes-test has the success. Each case runs in its own process, which moves to another
 * namespace. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "boot/cluster/cluster.h"
#include "boot/cluster/network.h"
#include "boot/qemu.h"
#include "tests/support/lib/sector.h"

enum { GUESTS = 3, CANNOT = 77 };

/* The results of that process, in shared memory. */
struct told {
    struct err err;
    unsigned guests, steps, lines, serials, children;
    double quorum_s, total_s;
    bool passed;
    char tail[128];
};
static struct told *told;

static void on_line(void *ctx, const char *name, const char *line)
{
    (void)ctx;
    told->lines += strlen(name) == 1 && line[0] != '\0';
}

static volatile sig_atomic_t stopped;

static void on_alarm(int sig)
{
    stopped = sig;
}

/* Stops a while after the last report. */
static void on_step(void *ctx, const char *text)
{
    (void)ctx;
    told->steps += strstr(text, " reports PASS after ") != NULL;
    if (told->steps < GUESTS)
        return;
    signal(SIGALRM, on_alarm);
    alarm(3);
}

static int on_serial(void *ctx, const char *name, unsigned boot, int *ret_fd, struct err *err)
{
    (void)ctx;
    (void)err;
    told->serials += boot == 1 && name[1] == '\0';
    *ret_fd = memfd_create("serial", MFD_CLOEXEC);
    return 0;
}

static void run_it(int disk, unsigned timeout_s, const struct run *run, size_t count)
{
    static const struct metadata_server_instance one = {.hostname = "n.c.p.internal",
                                                        .id = 1,
                                                        .zone = "z",
                                                        .machine_type = "t",
                                                        .gateway = NETWORK_GATEWAY,
                                                        .netmask = NETWORK_NETMASK,
                                                        .project_id = "p",
                                                        .project_number = 1};
    static const char *const names[GUESTS] = {"a", "b", "c"},
                             *const ips[GUESTS] = {"10.128.0.2", "10.128.0.3", "10.128.0.4"},
                             *const macs[GUESTS] = {"42:01:0a:80:00:02", "42:01:0a:80:00:03",
                                                    "42:01:0a:80:00:04"};
    struct metadata_server_instance values[GUESTS];
    for (int i = 0; i < GUESTS; i++) {
        values[i] = one;
        values[i].name = names[i];
        values[i].ip = ips[i];
        values[i].mac = macs[i];
    }
    struct cluster_result result = {0};
    const struct cluster_test_options options = {.disk_fd = disk,
                                                 .memory_mib = 128,
                                                 .timeout_s = timeout_s,
                                                 .guests = values,
                                                 .count = count,
                                                 .keys = {"x", "x", "x"},
                                                 .line = on_line,
                                                 .step = on_step,
                                                 .serial = on_serial};
    if (network_enter(&told->err) < 0)
        _exit(CANNOT);
    if (cluster_test(&options, run, &result, &told->err) == 0)
        told->err.kind = ERR_NONE;
    if (strstr(told->err.text, "/dev/net/tun"))
        _exit(CANNOT);
    told->guests = (unsigned)result.guest_count;
    told->passed = result.passed;
    told->quorum_s = result.quorum_s;
    told->total_s = result.total_s;
    if (result.guest_count > 0 && result.guests[0].boot.tail_count > 0)
        snprintf(told->tail, sizeof told->tail, "%.100s",
                 result.guests[0].boot.tail[result.guests[0].boot.tail_count - 1]);
    cluster_result_free(&result);
    told->children = waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD;
    _exit(0);
}

static void in_a_process(const char *text, enum sector_after after, unsigned timeout_s, const struct run *run,
                         size_t count)
{
    int disk = sector_disk(text, after), status = -1;
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(told != MAP_FAILED);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        run_it(disk, timeout_s, run, count);
    close(disk);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_false(told->passed);
    assert_int_equal(told->children, 0);
}

static void ends_badly(const char *text, enum sector_after after, unsigned timeout_s, const char *why)
{
    in_a_process(text, after, timeout_s, NULL, GUESTS);
    assert_int_equal(told->err.kind, ERR_TEST);
    if (!strstr(told->err.text, why))
        fail_msg("\"%s\" does not say \"%s\"", told->err.text, why);
    assert_int_equal(told->guests, GUESTS);
    assert_int_equal(told->serials, GUESTS);
    assert_true(told->quorum_s < 0 && told->total_s > 0);
}

static void guest_that_reports_fail_ends_it(void **state)
{
    (void)state;
    ends_badly("bake-report: FAIL etcd: no\n", SECTOR_HALT, 600, ": the image reported a failure after");
}

static void guest_that_goes_off_ends_it(void **state)
{
    (void)state;
    ends_badly("bake-report: PASS\nthe last line\n", SECTOR_RESET, 600, " powered off after ");
}

/* Healthy guests that form no cluster: the test runs until it is interrupted. */
static void reports_alone_do_not_pass(void **state)
{
    (void)state;
    const struct run run = {.stop = &stopped};
    in_a_process("bake-report: PASS\nthe last line\n", SECTOR_HALT, 120, &run, GUESTS);
    assert_int_equal(told->err.kind, ERR_INTERRUPTED);
    assert_int_equal(told->steps, GUESTS);
    assert_true(told->lines >= 2 * GUESTS && told->quorum_s < 0);
    assert_string_equal(told->tail, "the last line");
}

static void silent_guests_are_named(void **state)
{
    (void)state;
    ends_badly("bake-report: etcd\n", SECTOR_HALT, 4,
               "after 4 s still waiting for the guests to form a cluster; no report from a, b, c: look");
}

static void interrupt_stops_the_guests(void **state)
{
    (void)state;
    static const volatile sig_atomic_t stop = SIGTERM;
    const struct run run = {.stop = &stop};
    in_a_process("x\n", SECTOR_HALT, 600, &run, GUESTS);
    assert_int_equal(told->err.kind, ERR_INTERRUPTED);
}

static void two_are_no_cluster(void **state)
{
    (void)state;
    in_a_process("x\n", SECTOR_HALT, 600, NULL, 2);
    assert_int_equal(told->err.kind, ERR_USAGE);
    assert_int_equal(told->guests, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guest_that_reports_fail_ends_it), cmocka_unit_test(guest_that_goes_off_ends_it),
        cmocka_unit_test(reports_alone_do_not_pass),       cmocka_unit_test(silent_guests_are_named),
        cmocka_unit_test(interrupt_stops_the_guests),      cmocka_unit_test(two_are_no_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
