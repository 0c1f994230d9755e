/* The cage: what a hostile program cannot do in it, and that nothing is left of it. */
#include "tests/support/lib/caged.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "base/clock.h"

static struct blob program;
static int program_fd = -1;

static int run_caged(const char *what, unsigned timeout_ms, const struct run *run, struct proc_result *ret,
                     struct err *err)
{
    cleanup_cage struct cage cage = CAGE_EMPTY;
    const char *const argv[] = {"caged", what, NULL};
    if (cage_open(&program, run, &cage, err) < 0)
        return -1;
    if (timeout_ms > 0)
        cage.timeout_ms = timeout_ms;
    return cage_run(&cage, argv, run, ret, err);
}

/* No child is left, and as many files are open as before. */
static size_t open_files(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void assert_nothing_left(size_t files)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(open_files(), files);
}

static void harmless(const char *what)
{
    struct err err = {0};
    cleanup_proc_result struct proc_result said = {0};
    size_t files = open_files();
    if (run_caged(what, 0, NULL, &said, &err) < 0)
        fail_msg("%s: %s", what, err.text);
    if (said.status != 0)
        fail_msg("%s: status %d: %s", what, said.status, said.out.data ? said.out.data : "");
    assert_nothing_left(files);
}

static void test_status_output_and_arguments(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_proc_result struct proc_result said = {0};
    assert_int_equal(run_caged("show", 0, NULL, &said, &err), 0);
    assert_int_equal(said.status, 7);
    assert_string_equal(said.out.data, "caged show\n"); /* and no environment */
    assert_string_equal(said.err.data, "said\n");
}

static void test_it_can_do_nothing(void **state)
{
    (void)state;
    harmless("look");
    harmless("write");
    harmless("network");
    harmless("rights");
    harmless("memory");
}

/* They hold the output open, too: without an end to them this would wait for ever. */
static void test_children_end_with_it(void **state)
{
    (void)state;
    int64_t began = clock_now_ms();
    harmless("leave");
    assert_true(clock_now_ms() - began < CAGE_TIMEOUT_MS / 2);
}

static void stopped(const char *what)
{
    struct err err = {0};
    cleanup_proc_result struct proc_result said = {0};
    size_t files = open_files();
    assert_int_equal(run_caged(what, 700, NULL, &said, &err), -1);
    assert_int_equal(err.errnum, ETIMEDOUT);
    assert_nothing_left(files);
}

static void test_time_limit(void **state)
{
    (void)state;
    stopped("forever");
    stopped("multiply");
    stopped("endless");
}

static void test_interruption(void **state)
{
    (void)state;
    struct err err = {0};
    volatile sig_atomic_t stop = SIGINT;
    const struct run run = {.stop = &stop};
    cleanup_cage struct cage cage = CAGE_EMPTY;
    cleanup_proc_result struct proc_result said = {0};
    const char *const argv[] = {"caged", "forever", NULL};
    size_t files = open_files();
    assert_int_equal(cage_open(&program, NULL, &cage, &err), 0);
    assert_int_equal(cage_run(&cage, argv, &run, &said, &err), -1);
    assert_int_equal(err.kind, ERR_INTERRUPTED);
    cage_close(&cage);
    assert_nothing_left(files);
}

/* Killed where it cannot clean up: the caged program ends all the same. It holds the pipe that this reads. */
static void test_parent_killed(void **state)
{
    (void)state;
    int fds[2];
    char byte;
    assert_int_equal(pipe(fds), 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct err err = {0};
        cleanup_proc_result struct proc_result said = {0};
        close(fds[0]);
        _exit(run_caged("forever", 0, NULL, &said, &err) == 0);
    }
    close(fds[1]);
    clock_sleep_ms(300);
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    assert_int_equal(read(fds[0], &byte, 1), 0);
    close(fds[0]);
}

/* In a child that PREPARE has changed: 0 when the cage holds there, 1 when it says why not. */
static int in_other_surroundings(void (*prepare)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct err err = {0};
        cleanup_proc_result struct proc_result said = {0};
        prepare();
        alarm(30);
        int result = run_caged("look", 0, NULL, &said, &err);
        bool nothing_left = waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
        _exit(!nothing_left ? 3 : result == 0 ? said.status : err.errnum == CAGE_NOT_HERE ? 1 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        _exit(4);
    close(fd);
}

/* Root of a namespace with no other user. */
static void become_lonely_root(void)
{
    char users[32], groups[32];
    snprintf(users, sizeof users, "0 %u 1", geteuid());
    snprintf(groups, sizeof groups, "0 %u 1", getegid());
    if (unshare(CLONE_NEWUSER) < 0)
        _exit(4);
    put("/proc/self/setgroups", "deny");
    put("/proc/self/gid_map", groups);
    put("/proc/self/uid_map", users);
}

static void forbid_namespaces(void)
{
    become_lonely_root();
    put("/proc/sys/user/max_user_namespaces", "0");
}

static void hide_processes(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || mount("/dev", "/proc", NULL, MS_BIND | MS_REC, NULL) < 0)
        _exit(4);
}

static void test_other_surroundings(void **state)
{
    (void)state;
    assert_int_equal(in_other_surroundings(become_lonely_root), 0);
    assert_int_equal(in_other_surroundings(forbid_namespaces), 1);
    assert_int_equal(in_other_surroundings(hide_processes), 1);
}

static void test_dynamic_program(void **state)
{
    (void)state;
    struct blob blob;
    cleanup_close int fd = -1;
    cleanup_cage struct cage cage = CAGE_EMPTY;
    cleanup_proc_result struct proc_result said = {0};
    const char *const argv[] = {"cat", "--version", NULL};
    struct err err = {0};
    caged_blob("/bin/cat", &blob, &fd);
    assert_int_equal(cage_open(&blob, NULL, &cage, &err), 0);
    assert_true(cage.dynamic);
    if (cage_run(&cage, argv, NULL, &said, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(said.status, 0);
    assert_non_null(strstr(said.out.data, "cat"));
}

static void test_not_a_program_of_this_machine(void **state)
{
    (void)state;
    static const char script[] =
        "#!/bin/sh\necho not in the cage, and long enough for the header of a program\n";
    struct err err = {0};
    struct blob blob;
    cleanup_cage struct cage cage = CAGE_EMPTY;
    assert_int_equal(blob_from_memory(script, sizeof script - 1, &blob, &err), 0);
    assert_int_equal(cage_open(&blob, NULL, &cage, &err), -1);
    assert_int_equal(err.errnum, CAGE_NOT_HERE);
    cleanup_free char *bytes = NULL;
    caged_foreign(&program, &blob, &bytes);
    assert_int_equal(cage_open(&blob, NULL, &cage, &err), -1);
    assert_int_equal(err.errnum, CAGE_NOT_HERE);
    assert_non_null(strstr(err.text, "another kind of machine"));
    blob.size = 127; /* of a program that is cut short */
    assert_int_equal(cage_open(&blob, NULL, &cage, &err), -1);
    assert_int_equal(err.errnum, CAGE_NOT_HERE);
}

int main(void)
{
    const struct CMUnitTest always[] = {cmocka_unit_test(test_not_a_program_of_this_machine)};
    const struct CMUnitTest caged[] = {
        cmocka_unit_test(test_status_output_and_arguments),
        cmocka_unit_test(test_it_can_do_nothing),
        cmocka_unit_test(test_children_end_with_it),
        cmocka_unit_test(test_time_limit),
        cmocka_unit_test(test_interruption),
        cmocka_unit_test(test_parent_killed),
        cmocka_unit_test(test_other_surroundings),
        cmocka_unit_test(test_dynamic_program),
    };
    caged_blob("caged", &program, &program_fd);
    int failed = cmocka_run_group_tests(always, NULL, NULL);
    return caged_possible() ? failed + cmocka_run_group_tests(caged, NULL, NULL) : failed;
}
